"""Events as Python makes, reads, compares and keeps them."""

# ruff: noqa: E501 - a message is one line

import copy
import datetime as dt
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import live_crew.models
from live_crew import Event
from live_crew.errors import LiveCrewError, ModelError

TS = "2026-05-01T12:00:00.25Z"
UTC = dt.timezone.utc
INSTANT = dt.datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC)
IDS = {
    "id": "1",
    "correlation_id": "2",
    "transaction_id": "3",
    "causation_id": "4",
    "traceparent": "5",
}
FULL = Event(TS, "user_signup", "main", {"name": "Ada", "n": [1, 2.5, None]}, **IDS)


def test_there_is_one_event_under_two_names() -> None:
    assert live_crew.models.Event is Event is live_crew.Event
    assert (Event.__module__, Event.__qualname__) == ("live_crew", "Event")


def test_fields_are_given_by_place_or_by_name() -> None:
    named = Event(ts=TS, kind="user_signup", stream_id="main", payload=FULL.payload, **IDS)
    assert named == FULL
    assert (named.ts, named.kind, named.stream_id) == (INSTANT, "user_signup", "main")
    assert (named.id, named.correlation_id, named.transaction_id) == ("1", "2", "3")
    assert (named.causation_id, named.traceparent) == ("4", "5")


def test_what_is_left_out_is_now_and_null_and_absent() -> None:
    before = dt.datetime.now(UTC)
    event = Event(kind="k", stream_id="s")
    assert before <= event.ts <= dt.datetime.now(UTC)
    assert event.payload is None
    assert [getattr(event, name) for name in IDS] == [None] * 5


@pytest.mark.parametrize(
    "ts",
    [
        INSTANT,
        INSTANT.replace(tzinfo=None),
        INSTANT.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30))),
        "2026-05-01 12:00:00.25",
        "2026-05-01T14:00:00.250000+02:00",
    ],
)
def test_an_instant_is_utc_unless_it_says_otherwise(ts: Any) -> None:
    assert Event(ts, "k", "s").ts == INSTANT
    assert Event(ts, "k", "s").ts.tzinfo is UTC
    assert Event(ts, "k", "s").model_dump(mode="json")["ts"] == "2026-05-01T12:00:00.250000Z"


def test_a_time_zone_that_knows_no_offset_is_none() -> None:
    class Nowhere(dt.tzinfo):
        def utcoffset(self, _: Any) -> None:
            return None

    assert Event(INSTANT.replace(tzinfo=Nowhere()), "k", "s").ts == INSTANT


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_every_datetime_is_kept_to_the_microsecond(ts: dt.datetime) -> None:
    aware = ts if ts.tzinfo else ts.replace(tzinfo=UTC)
    try:
        expected = aware.astimezone(UTC)
    except OverflowError:
        with pytest.raises(ModelError, match="outside the years 1 to 9999"):
            Event(ts, "k", "s")
        return
    assert Event(ts, "k", "s").ts == expected
    assert Event.model_validate_json(Event(ts, "k", "s").model_dump_json()).ts == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "field `kind` is missing; an event needs `kind`, `stream_id`"),
        ({"kind": "k"}, "field `stream_id` is missing; an event needs `kind`, `stream_id`"),
        ({"knd": "k"}, "field `knd` is not part of an event; did you mean `kind`?"),
        (
            {"zzzzzzz": 1},
            (
                "field `zzzzzzz` is not part of an event; known are `ts`, `kind`, `stream_id`, "
                "`payload`, `id`, `correlation_id`, `transaction_id`, `causation_id`, `traceparent`"
            ),
        ),
        (
            {"kind": "a b", "stream_id": "s"},
            "kind `a b` is not allowed: 1 to 50 of A-Z a-z 0-9 _",
        ),
        (
            {"kind": "__hb", "stream_id": "s"},
            "kind `__hb` is reserved: kinds that start with `__` belong to live-crew; rename it",
        ),
        ({"kind": 3, "stream_id": "s"}, "field `kind` is `3`; write a string"),
        (
            {"kind": "k", "stream_id": "s/1"},
            "stream_id `s/1` is not allowed: 1 to 100 of A-Z a-z 0-9 _ -",
        ),
        (
            {"kind": "k", "stream_id": "s", "ts": 5},
            (
                "field `ts` is `5`, of type int; write a `datetime` or a string such as "
                "`2026-05-01T12:00:00Z`"
            ),
        ),
        (
            {"kind": "k", "stream_id": "s", "ts": "yesterday"},
            (
                "field `ts` is `yesterday`: not of the form `2026-05-01T12:00:00.25Z` (fraction and "
                "offset may be absent)"
            ),
        ),
        (
            {"kind": "k", "stream_id": "s", "ts": "2026-02-30T00:00:00"},
            "field `ts` is `2026-02-30T00:00:00`: its day is out of range",
        ),
        (
            {"kind": "k", "stream_id": "s", "id": ""},
            "field `id` is empty; leave it out instead",
        ),
        (
            {"kind": "k", "stream_id": "s", "traceparent": 1},
            "field `traceparent` is `1`; write a string",
        ),
    ],
)
def test_a_field_that_cannot_be_is_told_with_what_would_be_right(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as raised:
        Event(**fields)
    assert str(raised.value) == message
    assert isinstance(raised.value, (LiveCrewError, ValueError))
    with pytest.raises(ModelError) as raised:
        Event.model_validate(fields)
    assert str(raised.value) == message


def test_nothing_of_an_event_can_be_changed() -> None:
    payload = {"names": ["Ada"]}
    event = Event(TS, "k", "s", payload)
    before = (hash(event), event.model_dump_json())
    payload["names"].append("Bob")
    event.payload["names"].append("Eve")
    assert (hash(event), event.model_dump_json()) == before
    with pytest.raises(AttributeError):
        event.kind = "other"
    with pytest.raises(AttributeError):
        event.other = 1


def test_events_are_equal_when_their_data_is() -> None:
    same = Event.model_validate_json(FULL.model_dump_json())
    assert same == FULL
    assert hash(same) == hash(FULL)
    assert {same, FULL} == {FULL}
    for name in ("kind", "stream_id", "payload", *IDS):
        assert FULL.model_copy(update={name: "other"}) != FULL
    assert FULL.model_copy(update={"ts": "2026-01-01T00:00:00"}) != FULL
    assert Event(TS, "k", "s", 1) != Event(TS, "k", "s", 1.0)
    assert FULL.model_dump() != FULL


def test_events_are_ordered_by_instant_kind_and_payload() -> None:
    later = "2026-05-01T12:00:01Z"
    events = [
        Event(TS, "a", "z", 1),
        Event(TS, "a", "z", 2),
        Event(TS, "b", "a", 0),
        Event(later, "a", "a", 0),
        Event(later, "a", "a", 0, id="1"),
        Event(later, "a", "b", 0, id="1"),
    ]
    assert sorted(events[3:] + events[:3]) == events
    assert events[0] < events[1] <= events[1] < events[2]
    with pytest.raises(TypeError):
        assert events[0] < 3


def test_a_repr_pastes_back() -> None:
    assert eval(repr(FULL)) == FULL
    assert repr(Event(TS, "k", "s")) == (
        "Event(ts='2026-05-01T12:00:00.250000Z', kind='k', stream_id='s', payload=None)"
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_brings_an_event_back(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(FULL, protocol)) == FULL


def test_a_fresh_process_unpickles_an_event() -> None:
    code = "import pickle, sys; print(repr(pickle.load(sys.stdin.buffer)))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(FULL), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == repr(FULL)


def test_a_copy_is_itself_and_a_deep_copy_has_a_payload_of_its_own() -> None:
    assert copy.copy(FULL) is FULL
    deep = copy.deepcopy(FULL)
    assert deep == FULL
    assert deep.payload is not FULL.payload


def test_a_copy_with_changes_checks_them() -> None:
    changed = FULL.model_copy(update={"id": None, "payload": 1})
    assert (changed.id, changed.payload, changed.correlation_id) == (None, 1, "2")
    assert FULL.model_copy() is FULL
    with pytest.raises(ModelError, match="did you mean `kind`"):
        FULL.model_copy(update={"knd": 1})


def test_an_event_is_taken_apart_by_match() -> None:
    match FULL:
        case Event(ts, "user_signup", stream, {"name": name}):
            assert (ts, stream, name) == (INSTANT, "main", "Ada")
        case _:
            pytest.fail("did not match")


def test_a_dump_reads_back_and_belongs_to_the_caller() -> None:
    dumped = FULL.model_dump()
    assert dumped["ts"] == INSTANT
    assert list(dumped) == ["ts", "kind", "stream_id", "payload", *IDS]
    assert Event.model_validate(dumped) == FULL
    assert Event.model_validate(FULL.model_dump(mode="json")) == FULL
    dumped["payload"]["name"] = "Eve"
    assert FULL.payload["name"] == "Ada"
    with pytest.raises(ModelError, match="write 'python' or 'json'"):
        FULL.model_dump(mode="yaml")


def test_an_event_that_is_read_is_given_back() -> None:
    assert Event.model_validate(FULL) is FULL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"ts": "2026-05-01T12:00:00Z",\n "knd": 1}',
            "line 2, column 2: field `knd` is not part of an event; did you mean `kind`?",
        ),
        (
            b"[]",
            'line 1, column 1: an event is an object, found `[]`; write `{"ts": ..., "kind": ...}`',
        ),
        (
            bytearray(b"{"),
            "line 1, column 2: expected a key in double quotes, found the end of the text",
        ),
        ("\ud800", "'\\ud800' holds half of a surrogate pair; remove it"),
        (3, "JSON is given as str or bytes, not as int; use `model_validate`"),
    ],
)
def test_text_that_is_no_event_is_told_with_its_place(text: Any, message: str) -> None:
    with pytest.raises(ModelError) as raised:
        Event.model_validate_json(text)
    assert str(raised.value) == message


def test_what_is_no_mapping_is_refused_with_a_way_out() -> None:
    with pytest.raises(ModelError, match="use `model_validate_json` for text"):
        Event.model_validate("{}")
    with pytest.raises(ModelError, match="write a dict with its fields"):
        Event.model_validate([1])
    with pytest.raises(ModelError, match="field `1` is not part of an event"):
        Event.model_validate({1: 2})


def test_the_schema_names_what_the_wire_demands() -> None:
    schema = Event.model_json_schema()
    assert schema["required"] == ["ts", "kind", "stream_id", "payload"]
    assert set(schema["properties"]) == {"ts", "kind", "stream_id", "payload", *IDS}
    assert schema["additionalProperties"] is False
