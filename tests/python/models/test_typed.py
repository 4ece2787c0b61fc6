"""`Event[T]`: payloads with a type, and models as fields of pydantic models."""

# ruff: noqa: E501 - a message is one line

import copy
import datetime as dt
import pickle
import typing
from typing import Annotated, Any, TypeVar

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from live_crew import Action, Event
from live_crew.errors import ModelError

TS = "2026-05-01T12:00:00Z"


class Address(BaseModel):
    city: str


class Signup(BaseModel):
    name: str
    age: int = 18
    addresses: list[Address] = []


class Aliased(BaseModel):
    user_name: str = Field(alias="userName")


def made(payload: Any) -> Event[Signup]:
    return Event[Signup](ts=TS, kind="k", stream_id="s", payload=payload)


def test_the_payload_is_what_the_type_makes_of_it() -> None:
    event = made({"name": "Ada", "age": "36"})
    assert isinstance(event, Event)
    assert event.payload == Signup(name="Ada", age=36)
    assert event.payload is event.payload
    assert event == Event(TS, "k", "s", {"name": "Ada", "age": 36, "addresses": []})
    assert event.model_dump()["payload"] == {"name": "Ada", "age": 36, "addresses": []}
    assert Event[Signup](TS, "k", "s", {"name": "Ada"}).payload.age == 18


def test_a_model_is_taken_as_it_is() -> None:
    signup = Signup(name="Ada")
    assert made(signup).payload is signup


@pytest.mark.parametrize(
    ("of", "payload", "seen", "plain"),
    [
        (dict, {"a": 1}, {"a": 1}, {"a": 1}),
        (Any, (1, 2), (1, 2), [1, 2]),
        (list[int], ["1", 2], [1, 2], [1, 2]),
        (list[dt.date], ["2026-05-01"], [dt.date(2026, 5, 1)], ["2026-05-01"]),
        (set[int], [1], {1}, [1]),
        (int | None, None, None, None),
        (Annotated[int, Field(gt=0)], 1, 1, 1),
        (dict[str, Signup], {"a": {"name": "b"}}, {"a": Signup(name="b")}, None),
    ],
)
def test_any_type_that_pydantic_knows_will_do(of: Any, payload: Any, seen: Any, plain: Any) -> None:
    event = Event[of](ts=TS, kind="k", stream_id="s", payload=payload)
    assert event.payload == seen
    assert type(event.payload) is type(seen)
    back = pickle.loads(pickle.dumps(event))
    assert (back, back.payload, repr(back)) == (event, seen, repr(event))
    if plain is not None:
        assert Event.model_validate_json(event.model_dump_json()).payload == plain


def test_a_type_that_says_nothing_about_its_content_guesses_nothing() -> None:
    for of in (dict, Any, dict[str, Any], list):
        payload = [{1}] if of is list else {"tags": {1}}
        with pytest.raises(ModelError, match="set is not JSON"):
            Event[of](ts=TS, kind="k", stream_id="s", payload=payload)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "payload.name: field required"),
        (
            {"name": "Ada", "age": "old"},
            (
                "payload.age: input should be a valid integer, unable to parse string as an integer, "
                "found `'old'`"
            ),
        ),
        (
            {"name": "Ada", "addresses": [{"city": "x"}, {}]},
            "payload.addresses[1].city: field required",
        ),
    ],
)
def test_a_payload_of_another_shape_is_refused_with_its_place(payload: Any, message: str) -> None:
    plain = Event(TS, "k", "s", payload)
    for make in (lambda: made(payload), lambda: Event[Signup].model_validate(plain)):
        with pytest.raises(ModelError) as raised:
            make()
        assert str(raised.value) == message
        assert isinstance(raised.value.__cause__, ValidationError)


def test_a_payload_that_is_missing_is_null() -> None:
    with pytest.raises(ModelError, match="payload: input should be a valid dictionary"):
        Event[Signup](TS, "k", "s")
    assert Event[type(None)](TS, "k", "s").payload is None


def test_many_mistakes_are_told_at_once_but_not_all() -> None:
    with pytest.raises(ModelError) as raised:
        Event[list[int]](ts=TS, kind="k", stream_id="s", payload=["x"] * 9)
    assert str(raised.value).count("payload[") == 5
    assert str(raised.value).endswith("; and 4 more")


def test_a_plain_event_becomes_a_typed_one_and_keeps_its_bytes() -> None:
    plain = Event(TS, "k", "s", {"name": "Ada", "extra": True}, id="1")
    typed = Event[Signup].model_validate(plain)
    assert typed.payload == Signup(name="Ada")
    assert typed == plain
    assert typed.model_dump_json() == plain.model_dump_json()
    assert Event[Signup].model_validate(typed) is typed
    assert Event[dict].model_validate(typed).payload == {"name": "Ada", "extra": True}


def test_a_mapping_and_a_text_become_typed_events() -> None:
    data = {"ts": TS, "kind": "k", "stream_id": "s", "payload": {"name": "Ada"}}
    assert Event[Signup].model_validate(data).payload == Signup(name="Ada")
    text = Event.model_validate(data).model_dump_json()
    assert Event[Signup].model_validate_json(text).payload == Signup(name="Ada")


def test_aliases_go_the_whole_way_round() -> None:
    event = Event[Aliased](ts=TS, kind="k", stream_id="s", payload={"userName": "Ada"})
    again = Event[Aliased].model_validate_json(event.model_dump_json())
    assert again.payload == Aliased(userName="Ada")


def test_a_typed_event_survives_every_way_of_keeping_it() -> None:
    event = made({"name": "Ada", "addresses": [{"city": "London"}]})
    assert eval(repr(event)) == event
    assert repr(event).startswith("Event[Signup](ts=")
    deep = copy.deepcopy(event)
    assert (deep, deep.payload) == (event, event.payload)
    assert deep.payload is not event.payload
    assert event.model_copy(update={"id": "1"}).payload == event.payload
    assert event.model_copy(update={"payload": {"name": "Bob"}}).payload == Signup(name="Bob")
    with pytest.raises(ModelError, match=r"payload\.name"):
        event.model_copy(update={"payload": {}})


def test_typing_sees_what_was_written() -> None:
    def handler(event: Event[Signup], other: Event[int] | None = None) -> None: ...

    hint = typing.get_type_hints(handler)["event"]
    assert (typing.get_origin(hint), typing.get_args(hint)) == (Event, (Signup,))
    assert hint.__live_crew_payload__ is Signup
    assert not hasattr(Event, "__live_crew_payload__")
    assert hint == Event[Signup]
    assert hash(hint) == hash(Event[Signup])
    variable = TypeVar("variable")
    assert Event[variable][int](TS, "k", "s", "1").payload == 1
    assert (
        pickle.loads(pickle.dumps(Event[Signup]))(TS, "k", "s", {"name": "a"}).payload.name == "a"
    )


def test_actions_have_types_too() -> None:
    action = Action[Signup].create("greet", {"name": "Ada"}, ttl_ms=7)
    assert (action.payload, action.ttl_ms) == (Signup(name="Ada"), 7)
    event = Event(TS, "k", "s", id="1")
    assert Action[Signup].from_event(event, "greet", {"name": "Ada"}).causation_id == "1"
    assert eval(repr(action)) == action
    with pytest.raises(ModelError, match=r"payload\.name"):
        Action[Signup].create("greet", {})


class Envelope(BaseModel):
    event: Event
    typed: Event[Signup]
    answers: list[Action] = []


PLAIN = Event(TS, "k", "s", {"a": 1})


def test_models_are_fields_of_pydantic_models() -> None:
    typed = made({"name": "Ada"})
    for event in (
        PLAIN,
        PLAIN.model_dump(),
        PLAIN.model_dump(mode="json"),
        PLAIN.model_dump_json(),
    ):
        envelope = Envelope(event=event, typed=typed.model_dump(), answers=[Action.create("x", 1)])
        assert envelope.event == PLAIN
        assert envelope.typed.payload == Signup(name="Ada")
        assert Envelope.model_validate_json(envelope.model_dump_json()) == envelope
        assert Envelope.model_validate(envelope.model_dump()) == envelope


def test_pydantic_tells_the_field_that_is_wrong() -> None:
    with pytest.raises(ValidationError) as raised:
        Envelope(event={"kind": "k"}, typed=made({"name": "Ada"}))
    assert raised.value.errors()[0]["loc"] == ("event",)
    assert "field `stream_id` is missing" in str(raised.value)


def test_schemas_hold_the_type_of_the_payload() -> None:
    schema = Event[Signup].model_json_schema()
    assert schema["properties"]["payload"]["title"] == "Signup"
    assert set(schema["$defs"]) == {"Address"}
    for mode in ("validation", "serialization"):
        outer = Envelope.model_json_schema(mode=mode)
        assert outer["properties"]["typed"]["properties"]["payload"]["title"] == "Signup"
        assert "Address" in outer["$defs"]
        assert outer["properties"]["event"]["title"] == "Event"


def test_a_type_adapter_reads_lists_of_events() -> None:
    adapter = TypeAdapter(list[Event[Signup]])
    data = [{"ts": TS, "kind": "k", "stream_id": "s", "payload": {"name": "Ada"}}]
    assert adapter.validate_python(data)[0].payload == Signup(name="Ada")
