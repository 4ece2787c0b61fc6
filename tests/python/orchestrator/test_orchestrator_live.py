"""Live runs: events are published, actions are read as slices commit, the clock moves time."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import pytest

from live_crew import Action, Event, LiveCrewError, Orchestrator, event_handler
from live_crew.errors import ModelError
from live_crew.result import RunResult


def now(kind: str = "tick", payload: object = None, stream_id: str = "live") -> Event[Any]:
    ts = datetime.now(timezone.utc)
    return Event(ts=ts, kind=kind, stream_id=stream_id, payload=payload)


def live(*handlers: Any, **settings: Any) -> Orchestrator:
    orchestrator = Orchestrator(**{"slice_ms": 5, "lateness_ms": 0, **settings})
    for handler in handlers:
        orchestrator.register_handler(handler)
    return orchestrator


@event_handler("tick")
def echo(event):
    return {"kind": "echo", "payload": event.payload}


async def first(actions: AsyncIterator[Action[Any]]) -> Action[Any]:
    async for action in actions:
        return action
    raise AssertionError("the actions ended")


async def test_an_action_follows_what_is_published():
    async with live(echo) as orchestrator:
        await orchestrator.publish(now(payload=1))
        action = await first(orchestrator.actions())
        assert (action.kind, action.payload) == ("echo", 1)
    assert orchestrator.result.ending == "drained"
    assert len(orchestrator.result.actions) == 1


async def test_events_may_be_published_as_mappings():
    orchestrator = live(echo)
    await orchestrator.start()
    await orchestrator.publish(now(payload=2).model_dump())
    assert (await first(orchestrator.actions())).payload == 2
    with pytest.raises(ModelError):
        await orchestrator.publish({"kind": "tick"})
    result = await orchestrator.stop()
    assert result.events_processed == 1


async def test_an_async_handler_answers_a_live_event():
    @event_handler("tick")
    async def later(event, ctx):
        await asyncio.sleep(0)
        ctx.incr("n")
        return event.payload

    async with live(later) as orchestrator:
        for number in range(3):
            await orchestrator.publish(now(payload=number))
        seen = [await first(orchestrator.actions())]
        while len(seen) < 3:
            seen.append(await first(orchestrator.actions()))
    assert sorted(action.payload for action in seen) == [0, 1, 2]
    assert orchestrator.result.context == {"live": {"n": 3}}


async def test_c9_a_blocking_handler_does_not_stall_another_stream():
    release = threading.Event()

    @event_handler("tick")
    def work(event):
        if event.stream_id == "slow":
            release.wait()
        return event.stream_id

    async with live(work) as orchestrator:
        await orchestrator.publish(now(stream_id="slow"))
        await orchestrator.publish(now(stream_id="fast"))
        actions = orchestrator.actions()
        assert (await first(actions)).payload == "fast"
        release.set()
        assert (await first(orchestrator.actions())).payload == "slow"


async def test_the_actions_end_when_the_run_does():
    orchestrator = live(echo)
    await orchestrator.start()
    actions = orchestrator.actions()
    reading = asyncio.ensure_future(anext(actions, None))
    await asyncio.sleep(0)
    await orchestrator.stop()
    assert await reading is None


async def test_stop_finishes_what_is_under_way():
    begun = asyncio.Event()
    release = asyncio.Event()

    @event_handler("tick", start="arrival")
    async def slow(event):
        begun.set()
        await release.wait()
        return "done"

    orchestrator = live(slow)
    await orchestrator.start()
    await orchestrator.publish(now())
    await begun.wait()
    stopping = asyncio.ensure_future(orchestrator.stop())
    await asyncio.sleep(0)
    release.set()
    result = await stopping
    assert [action.payload for action in result.actions] == ["done"]


async def test_stop_without_drain_cancels_what_is_under_way():
    begun = asyncio.Event()
    ended = asyncio.Event()

    @event_handler("tick", start="arrival")
    async def slow(event):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    orchestrator = live(slow)
    await orchestrator.start()
    await orchestrator.publish(now())
    await begun.wait()
    result = await orchestrator.stop(drain=False)
    assert result.ending == "aborted"
    assert not result.ok
    await ended.wait()


async def test_an_exception_inside_the_block_ends_it_at_once():
    orchestrator = live(echo)

    async def use() -> None:
        async with orchestrator:
            await orchestrator.publish(now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    assert orchestrator.result.ending == "aborted"


async def test_publish_waits_while_too_much_waits_already():
    orchestrator = live(slice_ms=10_000)
    await orchestrator.start()
    instant = now()

    async def publish_many() -> int:
        for _ in range(25_000):
            await orchestrator.publish(instant)
        return 25_000

    assert await publish_many() == 25_000
    result = await orchestrator.stop(drain=False)
    # What was in the queue when it ended is in no journal.
    assert 15_000 <= result.events_processed <= 25_000


async def test_what_has_not_started_says_so():
    orchestrator = live(echo)
    with pytest.raises(LiveCrewError, match="start"):
        await orchestrator.publish(now())
    with pytest.raises(LiveCrewError, match="start"):
        await orchestrator.stop()
    with pytest.raises(LiveCrewError, match="start"):
        await first(orchestrator.actions())


async def test_an_orchestrator_runs_once_at_a_time():
    async with live(echo) as orchestrator:
        with pytest.raises(LiveCrewError, match="running already"):
            await orchestrator.start()
        with pytest.raises(LiveCrewError, match="running already"):
            await orchestrator.run([])


async def test_it_can_be_started_again_and_its_context_goes_on():
    @event_handler("tick", start="arrival")
    def count(event, ctx):
        ctx.incr("n")
        return "counted"

    orchestrator = live(count)
    for turn in (1, 2):
        async with orchestrator:
            await orchestrator.publish(now())
            await first(orchestrator.actions())
        assert orchestrator.result.context == {"live": {"n": turn}}


async def test_errors_are_told_while_it_runs():
    failed = asyncio.Event()

    @event_handler("tick")
    async def broken(event):
        failed.set()
        raise ValueError("boom")

    async with live(broken, echo) as orchestrator:
        await orchestrator.publish(now())
        await failed.wait()
        await first(orchestrator.actions())
        assert orchestrator.get_error_details("broken").message == "ValueError: boom"


async def test_an_event_that_is_too_old_is_refused_and_told():
    old = Event(ts="2020-01-01T00:00:00Z", kind="tick", stream_id="live", payload=None)
    async with live(echo) as orchestrator:
        await orchestrator.publish(old)
        await orchestrator.publish(now())
        await first(orchestrator.actions())
    (refusal,) = orchestrator.result.refused
    assert "acceptance window" in refusal.reason
    assert not orchestrator.result.ok


async def test_the_acceptance_window_can_be_off():
    old = Event(ts="2020-01-01T00:00:00Z", kind="tick", stream_id="live", payload=None)
    async with live(echo, acceptance="off") as orchestrator:
        await orchestrator.publish(old)
        assert (await first(orchestrator.actions())).kind == "echo"


async def test_a_run_over_an_async_iterator_ends_with_it():
    async def events() -> AsyncIterator[Event[Any]]:
        for number in range(3):
            yield now(payload=number)
            await asyncio.sleep(0)

    result = await live(echo).run(events())
    assert sorted(action.payload for action in result.actions) == [0, 1, 2]
    assert result.ending == "finished"


async def test_an_async_iterator_that_raises_ends_the_run_with_its_exception():
    async def events() -> AsyncIterator[Event[Any]]:
        yield now()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await live(echo).run(events())


async def test_a_run_that_is_cancelled_ends_in_good_order():
    begun = asyncio.Event()

    async def events() -> AsyncIterator[Event[Any]]:
        yield now()
        begun.set()
        await asyncio.Event().wait()

    orchestrator = live(echo)
    running = asyncio.ensure_future(orchestrator.run(events()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # Nothing of it is left: it can be used again.
    assert isinstance(await orchestrator.run([]), RunResult)


async def test_many_orchestrators_share_a_loop():
    @event_handler("tick")
    async def later(event):
        await asyncio.sleep(0)
        return event.payload

    async def one(number: int) -> object:
        async with live(later) as orchestrator:
            await orchestrator.publish(now(payload=number))
            return (await first(orchestrator.actions())).payload

    assert await asyncio.gather(*map(one, range(8))) == list(range(8))


async def test_a_handler_may_publish_and_stop():
    orchestrator: Orchestrator

    @event_handler("tick", start="arrival")
    async def chain(event):
        if event.payload:
            await orchestrator.publish(now(payload=event.payload - 1))
        return event.payload

    orchestrator = live(chain)
    async with orchestrator:
        await orchestrator.publish(now(payload=2))
        seen: list[object] = []
        async for action in orchestrator.actions():
            seen.append(action.payload)
            if len(seen) == 3:
                break
    assert seen == [2, 1, 0]
