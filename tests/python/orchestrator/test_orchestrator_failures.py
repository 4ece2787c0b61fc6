"""Chapter 5: a crew that fails, hangs or dies harms its own run and nothing else."""

import asyncio
import copy
import gc
import pickle
import sys
import threading
import traceback
from typing import Any

import pytest

from live_crew import LiveCrewError, MultiCrewError, Orchestrator, event_handler
from live_crew._tasks import Tasks
from live_crew.errors import HandlerExit
from live_crew.result import RunResult
from live_crew.testing import StreamResult, TestStream, assert_timeline


@event_handler("tick")
def steady(event):
    return {"kind": "steady", "payload": event.payload}


def beside(crew: Any, **settings: Any) -> StreamResult:
    """One tick for a crew and a steady one; whatever the crew does, the steady one is heard."""
    stream = TestStream(crew, steady, **settings)
    stream.at(0).event("tick", 1)
    result = stream.run()
    assert [action.kind for action in result.actions if action.kind == "steady"] == ["steady"]
    return result


class WrongError(Exception):
    pass


class Deadly(BaseException):
    pass


def test_c9_an_exception_fails_its_run_and_comes_back_as_itself():
    @event_handler("tick")
    def boom(event, ctx):
        ctx["half"] = "done"
        raise WrongError("boom")

    result = beside(boom)
    (error,) = result.errors
    assert (error.crew, error.slice, error.reason, error.run) == ("boom", 0, "error", "boom/0.0")
    assert isinstance(error.__cause__, WrongError)
    assert traceback.extract_tb(error.__cause__.__traceback__)[-1].name == "boom"
    assert result.context == {"test": {}}
    assert not result.ok
    with pytest.raises(MultiCrewError) as raised:
        result.raise_for_errors()
    assert raised.value is error


async def test_c9_the_exception_of_an_async_handler_comes_back_too():
    @event_handler("tick")
    async def boom(event):
        await asyncio.sleep(0)
        raise WrongError("boom")

    stream = TestStream(boom, steady)
    stream.at(0).event("tick")
    result = await stream.run_async()
    assert [type(error.__cause__) for error in result.errors] == [WrongError]
    assert len(result.actions) == 1


@pytest.mark.parametrize("code", [None, 0, 3, "bye"])
@pytest.mark.parametrize("options", [{}, {"timeout_ms": 60_000}], ids=["inline", "thread"])
def test_c9_a_handler_that_exits_ends_its_run_and_not_the_program(code, options):
    @event_handler("tick", **options)
    def leave(event):
        sys.exit(code)

    (error,) = beside(leave).errors
    assert error.reason == "error"
    assert isinstance(error.__cause__, HandlerExit)
    assert isinstance(error.__cause__.__cause__, SystemExit)


async def test_c9_an_async_handler_that_exits_ends_its_run_and_not_the_loop():
    @event_handler("tick")
    async def leave(event):
        await asyncio.sleep(0)
        sys.exit(1)

    stream = TestStream(leave, steady)
    stream.at(0).event("tick")
    result = await stream.run_async()
    assert isinstance(result.errors[0].__cause__, HandlerExit)


@pytest.mark.parametrize(
    "kind",
    [
        asyncio.CancelledError,
        GeneratorExit,
        StopIteration,
        StopAsyncIteration,
        MemoryError,
        Deadly,
    ],
)
@pytest.mark.parametrize("options", [{}, {"timeout_ms": 60_000}], ids=["inline", "thread"])
def test_c9_exceptions_that_mean_something_to_python_fail_their_run_too(kind, options):
    @event_handler("tick", **options)
    def boom(event):
        raise kind

    (error,) = beside(boom).errors
    assert type(error.__cause__) is kind


@pytest.mark.parametrize("options", [{}, {"timeout_ms": 60_000}], ids=["inline", "thread"])
def test_an_interrupt_is_meant_for_the_program(options):
    @event_handler("tick", **options)
    def boom(event):
        raise KeyboardInterrupt

    stream = TestStream(boom, steady)
    stream.at(0).event("tick")
    with pytest.raises(KeyboardInterrupt):
        stream.run()


async def test_c9_whatever_an_async_handler_raises_fails_its_run():
    @event_handler("tick")
    async def boom(event):
        await asyncio.sleep(0)
        raise Deadly

    stream = TestStream(boom)
    stream.at(0).event("tick")
    (error,) = (await stream.run_async()).errors
    assert type(error.__cause__) is Deadly


def test_after_an_interrupt_no_other_handler_begins_and_its_run_is_had_again(tmp_path):
    begun: list[int] = []

    @event_handler("tick")
    def count(event):
        begun.append(event.payload)
        if begun == [0, 1, 2]:
            raise KeyboardInterrupt

    def made() -> Orchestrator:
        orchestrator = Orchestrator(journal=str(tmp_path / "journal.db"))
        orchestrator.register_handler(count)
        return orchestrator

    ticks = tmp_path / "ticks.jsonl"
    ticks.write_text(
        "".join(
            f'{{"ts":"2026-01-01T00:00:{n:02}Z","kind":"tick","stream_id":"s","payload":{n}}}\n'
            for n in range(60)
        )
    )
    with pytest.raises(KeyboardInterrupt):
        made().run_sync(ticks)
    assert begun == [0, 1, 2]
    assert made().run_sync(ticks).ok
    # What was done before may have been written in time, or not.
    assert begun[-58:] == list(range(2, 60))


# -- deadlines ---------------------------------------------------------------------------------


def test_c6_a_handler_that_never_returns_harms_only_its_run():
    forever = threading.Event()

    @event_handler("tick", timeout_ms=30)
    def stuck(event):
        forever.wait()

    result = beside(stuck)
    forever.set()
    (error,) = result.errors
    assert (error.crew, error.reason) == ("stuck", "timeout")


async def test_c6_an_async_handler_is_cancelled_at_its_deadline():
    begun, cancelled = [], []

    @event_handler("tick", timeout_ms=30)
    async def stuck(event):
        begun.append(event.payload)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(event.payload)
            raise

    stream = TestStream(stuck, steady)
    stream.at(0).event("tick", 1)
    stream.at(500).event("tick", 2)
    result = await stream.run_async()
    assert cancelled == begun
    assert [error.reason for error in result.errors] == ["timeout", "timeout"]
    assert len(result.actions) == 2


async def test_c6_what_a_cancelled_handler_answers_is_stale():
    @event_handler("tick", timeout_ms=30)
    async def stubborn(event, ctx):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ctx["late"] = True
            return "too late"

    stream = TestStream(stubborn, steady)
    stream.at(0).event("tick")
    stream.at(500).event("tick")
    result = await stream.run_async()
    assert [action.kind for action in result.actions] == ["steady", "steady"]
    assert result.context == {"test": {}}
    assert [error.reason for error in result.errors] == ["timeout", "timeout"]


async def test_c6_a_handler_that_is_cancelled_before_it_begins_leaves_no_warning():
    async def handler() -> None:
        await asyncio.Event().wait()

    tasks = Tasks()
    task = tasks(handler())
    tasks.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()


async def test_a_handler_may_answer_with_a_future():
    future = asyncio.get_running_loop().create_future()

    @event_handler("tick")
    def later(event):
        asyncio.get_running_loop().call_soon(future.set_result, "done")
        return future

    stream = TestStream(later)
    stream.at(0).event("tick")
    assert [action.payload for action in (await stream.run_async()).actions] == ["done"]


def test_c6_stuck_handlers_do_not_use_up_the_threads():
    forever = threading.Event()

    @event_handler("stick", timeout_ms=30, concurrency=100, max_errors=1_000)
    def stuck(event):
        forever.wait()

    @event_handler("tick", timeout_ms=60_000)
    def quick(event):
        return "here"

    stream = TestStream(stuck, quick)
    for number in range(100):
        stream.at(0).event("stick", number)
    stream.at(500).event("tick")
    result = stream.run()
    forever.set()
    assert {error.reason for error in result.errors} == {"timeout"}
    assert len(result.errors) == 100
    assert [action.payload for action in result.actions] == ["here"]


def test_c7_a_failed_run_is_tried_again():
    attempts = []

    @event_handler("tick", retry={"attempts": 3})
    def flaky(event, ctx):
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise WrongError("not yet")
        return "at last"

    stream = TestStream(flaky)
    stream.at(0).event("tick")
    assert_timeline(stream, '0  flaky  tick null  → flaky_result "at last" after 3 tries')
    assert attempts == [1, 2, 3]


def test_c7_a_run_fails_after_its_last_attempt():
    @event_handler("tick", retry={"attempts": 2, "backoff_ms": 1})
    def flaky(event):
        raise WrongError("never")

    (error,) = beside(flaky).errors
    assert (error.attempts, error.message) == (2, "WrongError: never")


def test_c8_a_crew_that_keeps_failing_is_disabled():
    @event_handler("tick", max_errors=2)
    def broken(event):
        raise WrongError("always")

    stream = TestStream(broken)
    for slice_index in range(4):
        stream.at(slice_index * 500).event("tick")
    result = stream.run()
    reasons = [(error.slice, error.reason) for error in result.errors]
    assert reasons[:3] == [(0, "error"), (1, "error"), (1, "disabled")]
    assert result.counters["started"] == 2


def test_c8_a_cooldown_lets_it_try_again():
    tried = []

    @event_handler("tick", max_errors=1, cooldown_slices=2)
    def broken(event):
        tried.append(event.payload)
        raise WrongError("always")

    stream = TestStream(broken)
    for slice_index in range(6):
        stream.at(slice_index * 500).event("tick", slice_index)
    stream.run()
    assert tried[0] == 0
    assert len(tried) > 1


# -- what is told ------------------------------------------------------------------------------


def test_an_error_tells_its_place_its_needs_and_what_helps():
    @event_handler("tick")
    def first(event, ctx):
        ctx["seen"] = event.payload

    @event_handler("tick", needs=[("first", -1)])
    def second(event):
        raise WrongError("boom")

    stream = TestStream(first, second)
    stream.at(0).event("tick", 1)
    stream.at(500).event("tick", 2)
    stream.run()
    error = stream.orchestrator.get_error_details("second", 1)
    assert error is not None
    assert error.dependencies == {"first@-1": 0}
    assert error.context == {"seen": 1}
    assert error.suggestions
    text = str(error)
    for part in (
        "crew `second`",
        "stream `test`",
        "slice 1",
        "boom",
        "first@-1: met by slice 0",
        "try: ",
    ):
        assert part in text


def test_error_details_are_asked_by_crew_and_slice():
    @event_handler("tick", max_errors=9)
    def broken(event):
        raise WrongError(str(event.payload))

    stream = TestStream(broken, steady)
    stream.at(0).event("tick", 0)
    stream.at(500).event("tick", 1)
    stream.run()
    details = stream.orchestrator.get_error_details
    assert details("broken").message == "WrongError: 1"
    assert details("broken", 0).message == "WrongError: 0"
    assert details("broken", 7) is None
    assert details("steady") is None
    with pytest.raises(LiveCrewError, match="did you mean `broken`"):
        details("borken")


def test_an_error_may_be_pickled_and_copied():
    @event_handler("tick")
    def broken(event):
        raise WrongError("boom")

    (error,) = beside(broken).errors
    assert copy.copy(error) == error
    assert pickle.loads(pickle.dumps(error)) == error


def test_a_result_is_plain_data_for_json():
    @event_handler("tick")
    def broken(event):
        raise WrongError("boom")

    told = beside(broken).model_dump()
    assert told["ok"] is False
    assert [error["message"] for error in told["errors"]] == ["WrongError: boom"]
    assert [action["kind"] for action in told["actions"]] == ["steady"]


def test_an_exception_that_cannot_be_told_fails_its_run_all_the_same():
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    @event_handler("tick")
    def boom(event):
        raise UnspeakableError

    (error,) = beside(boom).errors
    assert "UnspeakableError" in error.message


def test_an_orchestrator_without_crews_runs():
    orchestrator = Orchestrator()
    stream = TestStream(orchestrator=orchestrator)
    stream.at(0).event("tick")
    assert stream.run().ok


def test_t5_a_stream_that_a_late_event_stopped_is_told_and_the_others_go_on(tmp_path):
    def events(stream: str, *seconds: int) -> list[dict[str, Any]]:
        ts = "2026-01-01T00:00:{:02}Z"
        return [
            {"ts": ts.format(at), "kind": "tick", "stream_id": stream, "payload": at}
            for at in seconds
        ]

    def run() -> RunResult:
        settings = {"late_policy": "fail", "lateness_ms": 0, "journal": tmp_path / "journal.db"}
        orchestrator = Orchestrator(**settings)
        orchestrator.register_crew("echo", lambda event: event.payload)
        return orchestrator.run_sync([*events("a", 0, 5, 1), *events("b", 0, 5, 7)])

    result = run()
    assert result.failed == {
        "a": "event of kind `tick` came 8 slices late, and its late policy is `fail`"
    }
    assert not result.ok
    assert result.model_dump()["failed"] == result.failed
    assert [action.payload for action in result.actions if action.stream_id == "b"] == [0, 5, 7]
    assert run().failed == result.failed, "it stays so after a restart"
