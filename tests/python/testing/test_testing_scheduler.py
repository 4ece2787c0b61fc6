"""`MemoryScheduler` and `SimpleCrew`: one event, one crew, the actions."""

import asyncio
from typing import Any

import pytest

from live_crew import (
    Event,
    LiveCrewError,
    MemoryScheduler,
    MultiCrewError,
    SimpleCrew,
    event_handler,
)
from live_crew.errors import HandlerError, ModelError


def event(at: str = "00:00:00", payload: object = None, kind: str = "tick") -> Event[Any]:
    return Event(ts=f"2026-01-01T{at}Z", kind=kind, stream_id="s", payload=payload)


def test_a_simple_crew_echoes():
    for payload in ({"name": "Ada"}, None, [1, None], "text", {"kind": "k", "payload": 1}):
        (action,) = MemoryScheduler().process(event(payload=payload), SimpleCrew("echo-all"))
        assert (action.kind, action.payload) == ("echo_all_result", payload)
        assert action.stream_id == "s"


def test_a_simple_crew_replies_with_a_value_or_a_function():
    def process(reply: object) -> list[object]:
        actions = MemoryScheduler().process(event(payload=2), SimpleCrew("crew", reply))
        return [(action.kind, action.payload) for action in actions]

    async def later(event):
        await asyncio.sleep(0)
        return event.payload * 3

    assert process("hi") == [("crew_result", "hi")]
    assert process({"kind": "k", "payload": 1}) == [("k", 1)]
    assert process(lambda event: event.payload * 2) == [("crew_result", 4)]
    assert process(lambda event, ctx: ctx.slice) == [("crew_result", 0)]
    assert process(later) == [("crew_result", 6)]


def test_a_handler_and_a_function_are_crews_too():
    @event_handler("other")
    def deaf(event):
        raise AssertionError("not for it")

    scheduler = MemoryScheduler()
    assert scheduler.process(event(), deaf) == []
    assert [action.payload for action in scheduler.process(event(), lambda event: 1)] == [1]


def test_slices_count_on_from_the_first_event():
    scheduler = MemoryScheduler(slice_ms=500)
    crew = SimpleCrew("at", lambda event, ctx: {"at": [ctx.slice, ctx.now.isoformat()]})
    told = [
        scheduler.process(event(at), crew)[0].payload["at"] for at in ("00:00:07", "00:00:08.2")
    ]
    assert told == [
        [0, "2026-01-01T00:00:07.500000+00:00"],
        [2, "2026-01-01T00:00:08.500000+00:00"],
    ]


def test_the_context_is_kept_between_events_and_shared_by_crews():
    def count(event, ctx):
        ctx["n"] = ctx.get("n", 0) + 1
        ctx.setdefault("log", []).append(event.payload)

    scheduler = MemoryScheduler()
    for payload in (1, 2):
        scheduler.process(event(payload=payload), count)
    assert scheduler.context == {"s": {"n": 2, "log": [1, 2]}}
    (action,) = scheduler.process(event(), lambda event, ctx: dict(ctx))
    assert action.payload == {"n": 2, "log": [1, 2]}
    scheduler.process(event(), SimpleCrew("deaf", 1, triggers="other"))
    assert scheduler.context["s"]["n"] == 2


def test_actions_of_one_slice_have_ids_of_their_own_and_every_time_the_same():
    def told() -> list[tuple[str | None, str | None]]:
        scheduler, crew = MemoryScheduler(), SimpleCrew("echo")
        given = [event(payload=1), event(payload=1), event(payload=2), event("00:00:09")]
        actions = [action for one in given for action in scheduler.process(one, crew)]
        return [(action.id, action.causation_id) for action in actions]

    ids, runs = zip(*told(), strict=True)
    assert len(set(ids)) == 4
    assert {len(one) for one in ids} == {32}
    assert list(runs) == ["echo/0.0", "echo/0.1", "echo/0.2", "echo/18.0"]
    assert told() == told()


def test_an_event_before_the_first_one_has_ids_of_its_own():
    scheduler, crew = MemoryScheduler(), SimpleCrew("echo")
    times = ("00:00:10", "00:00:07", "00:00:10", "00:00:08")
    actions = [action for at in times for action in scheduler.process(event(at), crew)]
    assert [one.causation_id for one in actions] == [f"echo/0.{n}" for n in range(4)]
    assert len({one.id for one in actions}) == 4


async def test_it_works_inside_a_running_loop():
    scheduler = MemoryScheduler()
    assert scheduler.process(event(payload=1), SimpleCrew("echo"))[0].payload == 1


def test_what_goes_wrong_in_a_crew_is_raised():
    def boom(event):
        raise ZeroDivisionError

    scheduler = MemoryScheduler()
    with pytest.raises(MultiCrewError) as raised:
        scheduler.process(event(), boom)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    with pytest.raises(MultiCrewError, match="output"):
        scheduler.process(event(), SimpleCrew("set", {1}))


@pytest.mark.parametrize("wrong", [None, 1, "tick", [], SimpleCrew("x")], ids=repr)
def test_what_is_no_event_is_told(wrong):
    with pytest.raises(ModelError, match="is no event"):
        MemoryScheduler().process(wrong, SimpleCrew("echo"))


def test_a_mapping_that_is_no_event_is_told_what_it_lacks():
    with pytest.raises(ModelError, match="stream_id"):
        MemoryScheduler().process({"kind": "tick"}, SimpleCrew("echo"))
    with pytest.raises(ModelError, match="__own"):
        MemoryScheduler().process({**event().model_dump(), "kind": "__own"}, SimpleCrew("echo"))


@pytest.mark.parametrize("wrong", [None, 1, "echo", event()], ids=repr)
def test_what_is_no_crew_is_told(wrong):
    with pytest.raises(HandlerError, match="is no crew"):
        MemoryScheduler().process(event(), wrong)


def test_a_crew_that_cannot_be_is_told():
    with pytest.raises(LiveCrewError, match="no name"):
        MemoryScheduler().process(event(), SimpleCrew("no name"))
    with pytest.raises(LiveCrewError, match="trigers"):
        MemoryScheduler().process(event(), SimpleCrew("crew", trigers="x"))
