"""Actions as handlers make them and as consumers read them."""

import copy
import pickle
from typing import Any

import pytest

import live_crew.models
from live_crew import Action, Event
from live_crew.errors import ModelError

EVENT = Event(
    "2026-05-01T12:00:00Z",
    "user_signup",
    "main",
    {"name": "Ada"},
    id="e1",
    correlation_id="c1",
    transaction_id="t1",
    causation_id="other",
    traceparent="00-1",
)
WIRE = (
    '{"causation_id":"greeter/3.0","correlation_id":"c1","id":"00ff","kind":"greet",'
    '"payload":{"text":"Hi"},"stream_id":"main","traceparent":"00-1","transaction_id":"t1",'
    '"ts":"2026-05-01T12:00:00.500000Z","ttl_ms":60000}'
)


def test_there_is_one_action_under_two_names() -> None:
    assert live_crew.models.Action is Action is live_crew.Action


def test_an_action_needs_a_kind_and_leaves_the_rest_open() -> None:
    action = Action.create("greet", {"text": "Hi"})
    assert action == Action(kind="greet", payload={"text": "Hi"})
    assert (action.ts, action.stream_id, action.id, action.causation_id) == (None,) * 4
    assert action.ttl_ms == 5_000
    assert action.model_dump_json() == '{"kind":"greet","payload":{"text":"Hi"},"ttl_ms":5000}'


def test_an_answer_takes_over_the_identities_of_its_event() -> None:
    action = Action.from_event(EVENT, "greet", "Hi")
    assert (action.kind, action.payload, action.stream_id) == ("greet", "Hi", "main")
    assert (action.correlation_id, action.transaction_id) == ("c1", "t1")
    assert (action.causation_id, action.traceparent) == ("e1", "00-1")
    assert (action.id, action.ts) == (None, None)


def test_fields_of_an_answer_come_before_those_of_its_event() -> None:
    action = Action.from_event(EVENT, "greet", ttl_ms=1, stream_id="other", correlation_id=None)
    assert (action.ttl_ms, action.stream_id, action.correlation_id) == (1, "other", None)


def test_the_wire_reads_back_byte_for_byte() -> None:
    action = Action.model_validate_json(WIRE)
    assert action.model_dump_json() == WIRE
    assert (action.id, action.causation_id, action.ttl_ms) == ("00ff", "greeter/3.0", 60_000)
    assert Action.model_validate(action.model_dump()) == action
    assert Action.model_validate(action.model_dump(mode="json")) == action
    assert Action.model_validate(action) is action


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "field `kind` is missing; an action needs `kind`"),
        ({"kind": "k", "ttl": 1}, "field `ttl` is not part of an action; known are"),
        (
            {"kind": "k", "ttl_m": 1},
            "field `ttl_m` is not part of an action; did you mean `ttl_ms`?",
        ),
        ({"kind": "k", "ttl_ms": 0}, "field `ttl_ms` is `0`; write an int from 1 to 300000"),
        ({"kind": "k", "ttl_ms": 300_001}, "field `ttl_ms` is `300001`; write an int"),
        ({"kind": "k", "ttl_ms": True}, "field `ttl_ms` is `True`; write an int"),
        ({"kind": "__error"}, "kind `__error` is reserved"),
    ],
)
def test_a_field_that_cannot_be_is_told_with_what_would_be_right(
    fields: dict[str, Any], message: str
) -> None:
    for make in (lambda: Action(**fields), lambda: Action.model_validate(fields)):
        with pytest.raises(ModelError) as raised:
            make()
        assert str(raised.value).startswith(message)


def test_text_that_is_no_json_is_told_with_its_place() -> None:
    with pytest.raises(ModelError, match="line 2, column 1"):
        Action.model_validate_json('{"kind": "k",\n}')


@pytest.mark.parametrize("action", [Action.create("k", 1), Action.model_validate_json(WIRE)])
def test_an_action_survives_every_way_of_keeping_it(action: Action) -> None:
    assert eval(repr(action)) == action
    assert pickle.loads(pickle.dumps(action)) == action
    assert repr(pickle.loads(pickle.dumps(action))) == repr(action)
    assert repr(action.model_copy(update={})) == repr(action)
    assert copy.copy(action) is action
    assert copy.deepcopy(action) == action
    assert len({action, copy.deepcopy(action)}) == 1


def test_actions_are_ordered_by_instant_kind_and_payload() -> None:
    first, *others = actions = [
        Action.create("b", 1),
        Action.create("a", 1, ts="2026-05-01T12:00:00Z"),
        Action.create("a", 2, ts="2026-05-01T12:00:00Z"),
    ]
    assert sorted([*others, first]) == actions


def test_the_schema_knows_the_range_of_ttl_ms() -> None:
    schema = Action.model_json_schema()
    assert schema["properties"]["ttl_ms"]["maximum"] == 300_000
    assert schema["required"] == ["kind", "payload"]
