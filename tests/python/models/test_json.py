"""Python values as canonical JSON and back, seen through the payload of an event."""

import collections
import datetime as dt
import decimal
import enum
import json
import math
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from live_crew import Event
from live_crew.errors import ModelError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=40
)


def event(payload: Any) -> Event:
    return Event("2026-05-01T12:00:00Z", "kind", "stream", payload)


def canonical(payload: Any) -> str:
    text = event(payload).model_dump_json()
    before, after = (
        '{"kind":"kind","payload":',
        ',"stream_id":"stream","ts":"2026-05-01T12:00:00Z"}',
    )
    assert text.startswith(before)
    assert text.endswith(after)
    return text[len(before) : -len(after)]


def same(a: Any, b: Any) -> bool:
    """Equal in type too: `1`, `1.0` and `True` differ, and so do `0.0` and `-0.0`."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


@given(VALUES)
def test_any_json_value_comes_back_as_it_was(value: Any) -> None:
    assert same(event(value).payload, value)
    assert same(Event.model_validate_json(event(value).model_dump_json()).payload, value)


KEYS = st.sets(st.sampled_from(["a", "b", "c", 'd"', "é", "f" * 70]), min_size=1)
RECORDS = st.lists(st.tuples(KEYS, st.sampled_from(["x", "yes", "yes", '"', "ü" * 16, {"b": 1}])))


@given(RECORDS)
def test_objects_that_come_again_with_more_or_fewer_keys_are_read_as_they_are(records: Any) -> None:
    # Whatever was read before, and however often, tells only what to expect.
    payloads = [dict.fromkeys(sorted(keys), value) for keys, value in records]
    for payload in [one for one in payloads for _ in range(3)] + payloads:
        got = event(payload).payload
        assert list(got.items()) == list(payload.items())


def test_objects_with_the_same_keys_have_dicts_of_their_own() -> None:
    payload = {"list": [1, "two"], "name": "Alice", "tags": {"one": 1}}
    several = [event(payload).payload for _ in range(4)]
    for one in several:
        one["name"] = "changed"
        one["tags"].clear()
        one["list"].append(3)
        one["more"] = True
        assert event(payload).payload == payload


@given(
    st.lists(
        SCALARS | st.sampled_from([1, 12, "1", "1,", 1.5, 1.25, [], [1], {}, None]), min_size=1
    )
)
def test_members_are_what_they_are_whatever_they_were_last(values: list[Any]) -> None:
    for last in values:
        for value in (last, *values):
            got = event({"at": 0, "of": value, "then": last}).payload
            assert same(got, {"at": 0, "of": value, "then": last})


@given(VALUES)
def test_the_text_is_valid_and_ordered_by_the_bytes_of_its_keys(value: Any) -> None:
    def ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key.encode() for key, _ in pairs]
        assert keys == sorted(keys)
        return dict(pairs)

    assert same(json.loads(canonical(value), object_pairs_hook=ordered), value)


@given(VALUES)
def test_writing_what_was_read_changes_nothing(value: Any) -> None:
    text = canonical(value)
    assert canonical(event(value).payload) == text
    assert canonical(json.loads(text)) == text


def test_keys_come_in_the_order_of_their_bytes_and_only_what_must_be_is_escaped() -> None:
    value = {"b": 'a"\\/\n\x00\x7f', "a": (1, 2), "é": [], "😀": {}, "z": 1e300, "": -0.0}
    expected = '{"":-0.0,"a":[1,2],"b":"a\\"\\\\/\\n\\u0000\x7f","z":1e300,"é":[],"😀":{}}'
    assert canonical(value) == expected


@pytest.mark.parametrize("digits", [19, 20, 640, 4_301, 20_001])
def test_an_integer_of_any_length_is_exact_whatever_python_allows(digits: int) -> None:
    for value in (10 ** (digits - 1), -(10**digits) + 1, 10**digits - 10 ** (digits // 2) + 7):
        assert event(value).payload == value
        assert Event.model_validate_json(event(value).model_dump_json()).payload == value
    assert sys.get_int_max_str_digits() == 4_300


class Color(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Flag(enum.IntFlag):
    FAR = 1 << 70


class Plain(enum.Enum):
    ONE = 1


class Point(NamedTuple):
    x: int
    y: int


class Signup(BaseModel):
    name: str
    when: dt.datetime


@dataclass
class Data:
    x: int = 1


def test_subclasses_are_what_they_extend() -> None:
    value = [Color.RED, Level.HIGH, Flag.FAR, Point(1, 2), collections.OrderedDict(b=1, a=2)]
    assert canonical(value) == f'["red",3,{1 << 70},[1,2],{{"a":2,"b":1}}]'


def test_a_pydantic_model_says_itself_what_it_is() -> None:
    signup = Signup(name="Ada", when=dt.datetime(2026, 5, 1, tzinfo=dt.timezone.utc))
    assert (
        canonical({"signup": signup}) == '{"signup":{"name":"Ada","when":"2026-05-01T00:00:00Z"}}'
    )


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def explosive() -> Any:
    value: list[Any] = [1]
    for _ in range(60):
        value = [value, value]
    return value


class BadModel(BaseModel):
    x: Any


NOW = dt.datetime(2026, 5, 1, tzinfo=dt.timezone.utc)
ELSE = "use None, a bool, a number, a str, a list, or a dict whose keys are str"
IN_ITSELF = "nested deeper than 1000 levels, or it contains itself; flatten it"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"items": [1, 2, 3, {"when": NOW}]},
            "payload.items[3].when: datetime is not JSON; use an ISO 8601 string",
        ),
        (NOW.date(), "payload: date is not JSON; use an ISO 8601 string"),
        (NOW - NOW, "payload: timedelta is not JSON; use a number of seconds"),
        ([math.nan], "payload[0]: `NaN` is not JSON; write `None` or a string"),
        (-math.inf, "payload: `-inf` is not JSON; write `None` or a string"),
        ({1}, "payload: set is not JSON; its order is not fixed; use `sorted(value)`"),
        (b"x", "payload: bytes is not JSON; use text, such as Base64"),
        (
            {"a b": {1: 2}},
            'payload["a b"]: key `1` is of type int; keys are strings in JSON, so write `str(key)`',
        ),
        (
            "\ud800",
            "payload: '\\ud800' holds half of a surrogate pair, which UTF-8 cannot; remove it",
        ),
        (
            {"\ud800": 1},
            "payload: '\\ud800' holds half of a surrogate pair, which UTF-8 cannot; remove it",
        ),
        (
            decimal.Decimal(1),
            "payload: Decimal is not JSON; use `str(value)`, or a float if rounding is harmless",
        ),
        (Plain.ONE, "payload: Plain is not JSON; use `value.value`"),
        (Data(), "payload: Data is not JSON; use `dataclasses.asdict(value)`"),
        (uuid.UUID(int=0), "payload: UUID is not JSON; use `str(value)`"),
        (collections.ChainMap(), "payload: ChainMap is not JSON; use `dict(value)`"),
        (iter([]), "payload: list_iterator is not JSON; use `list(value)`"),
        (event(1), 'payload: Event is not JSON; use `value.model_dump(mode="json")`'),
        (object(), f"payload: object is not JSON; {ELSE}"),
        (Data, f"payload: type is not JSON; {ELSE}"),
        (cyclic(), f"payload{'[0]' * 12}...: {IN_ITSELF}"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place_and_a_way_out(
    value: Any, message: str
) -> None:
    with pytest.raises(ModelError) as raised:
        event(value)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "make",
    [explosive, lambda: "x" * (65 << 20), lambda: 1 << (300 << 20)],
    ids=["list", "str", "int"],
)
def test_what_would_not_fit_into_memory_is_refused_early(make: Callable[[], Any]) -> None:
    with pytest.raises(ModelError, match="more than 67108864 bytes"):
        event(make())


def test_what_a_conversion_raised_is_the_cause() -> None:
    with pytest.raises(ModelError, match=r"payload\.model: BadModel could not be") as raised:
        event({"model": BadModel(x=object())})
    assert raised.value.__cause__ is not None


def test_keys_that_read_the_same_are_refused() -> None:
    class Odd(str):
        __slots__ = ()
        __hash__ = object.__hash__

        def __eq__(self, other: object) -> bool:
            return self is other

    with pytest.raises(ModelError, match="two keys read `a`"):
        event({Odd("a"): 1, Odd("a"): 2})


def test_a_dict_that_changes_while_it_is_converted_harms_nothing() -> None:
    value: dict[str, Any] = {}

    class Sneaky(BaseModel):
        def model_dump(self, **_: Any) -> dict[str, Any]:
            value.clear()
            return {}

    value.update(a=Sneaky(), b=[Sneaky()], c=1)
    assert canonical(value) == '{"a":{},"b":[{}],"c":1}'
