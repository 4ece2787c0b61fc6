"""What the models cost beside pydantic's, printed; with a release build (`make bench-python`)."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone
from timeit import Timer
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from run import held_against

from live_crew import Action, Event

TS = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
TEXT = "2026-05-01T12:00:00.25Z"
SMALL = {"name": "Ada", "plan": "pro"}
SEVEN = {
    "name": "Ada",
    "plan": "pro",
    "age": 36,
    "score": 0.75,
    "active": True,
    "tags": ["a", "b"],
    "ref": None,
}


Id = Annotated[str, Field(min_length=1, max_length=4_096)]


class Model(BaseModel):
    """The same event as a pydantic model: all of its fields, any JSON as payload."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ts: datetime
    kind: str = Field(pattern="^[A-Za-z0-9_]{1,50}$")
    stream_id: str = Field(pattern="^[A-Za-z0-9_-]{1,100}$")
    payload: JsonValue = None
    id: Id | None = None
    correlation_id: Id | None = None
    transaction_id: Id | None = None
    causation_id: Id | None = None
    traceparent: Id | None = None


class Seven(BaseModel):
    """The payload, typed."""

    name: str
    plan: str
    age: int
    score: float
    active: bool
    tags: list[str]
    ref: str | None


def fields(payload: Any) -> dict[str, Any]:
    return {"ts": TS, "kind": "user_signup", "stream_id": "main", "payload": payload}


OURS, THEIRS = "Event(...), keywords, 2 keys", "pydantic, 2 keys"
EVENT = Event(**fields(SEVEN))
WIRE = EVENT.model_dump_json()
TYPED = Event[Seven]
CASES = {
    "Event(...), keywords, no payload": lambda: Event(ts=TS, kind="user_signup", stream_id="main"),
    OURS: lambda: Event(ts=TS, kind="user_signup", stream_id="main", payload=SMALL),
    "Event(...), keywords, 7 keys": lambda: Event(
        ts=TS, kind="user_signup", stream_id="main", payload=SEVEN
    ),
    "Event(...), positional, 2 keys": lambda: Event(TS, "user_signup", "main", SMALL),
    "Event(...), ts as text, 2 keys": lambda: Event(TEXT, "user_signup", "main", SMALL),
    THEIRS: lambda: Model(ts=TS, kind="user_signup", stream_id="main", payload=SMALL),
    "Event.model_validate_json, 7 keys": lambda: Event.model_validate_json(WIRE),
    "  and its payload": lambda: Event.model_validate_json(WIRE).payload,
    "pydantic.model_validate_json, 7 keys": lambda: Model.model_validate_json(WIRE),
    "json.loads, 7 keys": lambda: json.loads(WIRE),
    "Event.model_dump_json, 7 keys": EVENT.model_dump_json,
    "json.dumps of the payload, 7 keys": lambda: json.dumps(SEVEN, sort_keys=True),
    "Event[Seven](...), 7 keys": lambda: TYPED(
        ts=TS, kind="user_signup", stream_id="main", payload=SEVEN
    ),
    "Event[Seven].model_validate(event)": lambda: TYPED.model_validate(EVENT),
    "Action.create, 2 keys": lambda: Action.create("greet", SMALL),
    "event.kind": lambda: EVENT.kind,
    "event.payload, again": lambda: EVENT.payload,
    "event == event": lambda: EVENT == EVENT,  # noqa: PLR0124
    "hash(event)": lambda: hash(EVENT),
    "pickle and back": lambda: pickle.loads(pickle.dumps(EVENT)),  # noqa: S301
}


def main() -> None:
    took = {}
    print("a model, once made, read, written or asked for something")
    for name, case in CASES.items():
        # Many short rounds: the best of them is the one that nobody disturbed.
        took[name] = min(Timer(case).repeat(200, 500)) / 500 * 1e6
        print(f"  {name:<42}{took[name]:>8.3f} us")
    ratio = took[OURS] / took[THEIRS]
    print(
        f"  {OURS} {took[OURS]:.3f} us  {held_against(('<=', 0.3, 'us'), took[OURS])}\n"
        f"  {'':{len(OURS)}} {ratio:.2f} x pydantic  {held_against(('<=', 0.33, 'x'), ratio)}"
    )


if __name__ == "__main__":
    main()
