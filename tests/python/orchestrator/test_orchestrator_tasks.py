"""ADR 0007: an `async def` handler is a task of its own, which begins at once where it can."""

import asyncio
import contextvars
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from live_crew import event_handler
from live_crew._tasks import Tasks
from live_crew.testing import TestStream


def two_ticks(handler: Callable[..., Any]) -> TestStream:
    stream = TestStream(handler)
    stream.at(0).event("tick", 1)
    stream.at(1).event("tick", 2)
    return stream


async def in_a_callback(function: Callable[[], Any]) -> Any:
    """What a function gives when the loop calls it, and no task does."""
    loop = asyncio.get_running_loop()
    called = loop.create_future()
    loop.call_soon(lambda: called.set_result(function()))
    return await called


async def test_a_handler_has_its_own_task_before_and_after_it_waits():
    seen = []

    @event_handler("tick")
    async def look(event):
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    await two_ticks(look).run_async()
    first, still_first, second, still_second = seen
    assert first is still_first
    assert second is still_second
    assert len({first, second, asyncio.current_task(), None}) == 4


async def test_what_a_handler_puts_into_context_variables_is_its_own():
    variable = contextvars.ContextVar("variable", default="nothing")
    seen = []

    @event_handler("tick")
    async def look(event):
        seen.append(variable.get())
        variable.set(event.payload)
        if event.payload == 1:
            await asyncio.sleep(0)
        seen.append(variable.get())

    await two_ticks(look).run_async()
    assert seen == ["nothing", 1, "nothing", 2]
    assert variable.get() == "nothing"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is new in 3.11")
async def test_a_timeout_begun_in_the_first_step_ends_the_wait():
    @event_handler("tick")
    async def wait(event):
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "too late"

    result = await two_ticks(wait).run_async()
    assert [action.payload for action in result.actions] == ["too late", "too late"]


async def test_a_handler_that_does_not_wait_is_done_at_once():
    async def handler() -> str:
        return "here"

    tasks = Tasks()
    task = await in_a_callback(lambda: [task := tasks(handler()), task.done()])
    assert task[1]
    assert await task[0] == "here"


async def test_a_handler_called_within_a_task_waits_for_its_turn_or_interrupts_it():
    async def handler() -> object:
        return asyncio.current_task()

    caller = asyncio.current_task()
    task = Tasks()(handler())
    assert asyncio.current_task() is caller
    assert await task is task


async def test_what_others_ask_of_the_loop_while_a_task_is_made_is_not_lost():
    loop = asyncio.get_running_loop()
    heard: list[str] = []

    async def handler(name: str) -> None:
        heard.append(name)

    class Meddling(Tasks):
        """As if a finalizer ran while the task asks for its first step."""

        def _call_soon(self, callback, *args, context=None):
            if not heard:
                heard.append("meddled")
                loop.call_soon(heard.append, "soon")
                self.other = loop.create_task(handler("other"))
            return super()._call_soon(callback, *args, context=context)

    tasks = Meddling()
    if sys.version_info >= (3, 12):
        heard += ["meddled", "own", "soon", "other"]
    else:
        await in_a_callback(lambda: tasks(handler("own")))
        await tasks.other
    assert heard == ["meddled", "own", "soon", "other"]
    assert "call_soon" not in vars(loop)


FIRST_STEPS = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="before 3.11 every handler has a task from its start"
)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is new in 3.11")
async def test_a_timeout_that_is_not_needed_leaves_a_handler_that_does_not_wait_alone():
    @event_handler("tick")
    async def quick(event):
        async with asyncio.timeout(10):  # noqa: ASYNC100 (that it is there at all is the point)
            return asyncio.current_task().cancelling()

    result = await two_ticks(quick).run_async()
    assert [action.payload for action in result.actions] == [0, 0]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is new in 3.11")
async def test_a_task_group_and_a_gather_work_in_the_first_step():
    async def square(n):
        await asyncio.sleep(0)
        return n * n

    async def fail():
        raise ValueError("no")

    @event_handler("tick")
    async def group(event):
        async with asyncio.TaskGroup() as group:
            one = group.create_task(square(event.payload))
        both = await asyncio.gather(square(2), square(3))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.Event().wait()
        except Exception as errors:  # noqa: BLE001 (`except*` is no syntax before 3.11)
            told = [str(error) for error in errors.exceptions]
        told += [asyncio.current_task().cancelling()]
        return {"kind": "told", "payload": [one.result(), *both, *told]}

    result = await two_ticks(group).run_async()
    told = [action.payload for action in result.actions]
    assert told == [[1, 4, 9, "no", 0], [4, 4, 9, "no", 0]]


async def test_what_a_task_is_asked_in_its_first_step_it_answers_as_a_task():
    loop = asyncio.get_running_loop()
    kept: list[asyncio.Task[Any]] = []
    heard: list[Any] = []

    @event_handler("tick")
    async def look(event):
        task = asyncio.current_task()
        assert task is not None
        assert isinstance(task, asyncio.Task)
        assert asyncio.isfuture(task)
        assert asyncio.iscoroutine(task.get_coro())
        assert task in asyncio.all_tasks()
        assert not task.done()
        assert not task.cancelled()
        assert task.get_name() == "live-crew handler"
        assert task.get_loop() is loop
        assert "live-crew handler" in repr(task)
        task.set_name(f"tick {event.payload}")
        task.mine = event.payload
        task.add_done_callback(heard.append)
        kept.append(task)
        if event.payload == 2:
            await asyncio.sleep(0)
            assert asyncio.current_task() is task
        return task.mine

    result = await two_ticks(look).run_async()
    assert not result.errors
    assert [action.payload for action in result.actions] == [1, 2]
    await asyncio.sleep(0)
    assert heard == kept
    assert [task.result() for task in kept] == [1, 2]
    assert [task.get_name() for task in kept] == ["tick 1", "tick 2"]


async def test_a_task_that_was_only_kept_is_done_when_somebody_looks_at_it_later():
    kept: list[asyncio.Task[Any]] = []

    @event_handler("tick")
    async def keep(event):
        kept.append(asyncio.current_task())
        if event.payload == 2:
            raise ValueError("two")
        return event.payload

    result = await two_ticks(keep).run_async()
    assert [error.reason for error in result.errors] == ["error"]
    assert [task.done() for task in kept] == [True, True]
    assert await kept[0] == 1
    assert str(kept[1].exception()) == "two"


async def test_nobody_finds_what_another_handler_hung_on_its_task():
    import weakref

    hung = weakref.WeakKeyDictionary()
    found = []

    @event_handler("tick")
    async def hang(event):
        found.append(hung.get(asyncio.current_task()))
        hung[asyncio.current_task()] = event.payload

    await two_ticks(hang).run_async()
    assert found == [None, None]
    assert not hung


@FIRST_STEPS
async def test_the_traceback_of_a_handler_that_does_not_wait_begins_in_it():
    @event_handler("tick")
    async def fail(event):
        raise ValueError(event.payload)

    result = await two_ticks(fail).run_async()
    for error in result.errors:
        assert error.__cause__ is not None
        frames = traceback.extract_tb(error.__cause__.__traceback__)
        assert [frame.name for frame in frames] == ["fail"]


@pytest.mark.parametrize("then", ["waits", "sleeps", "returns", "raises"])
async def test_a_task_that_cancels_itself_in_its_first_step_ends_as_other_tasks_do(then):
    inner: list[asyncio.Future[Any]] = []
    seen = []

    async def handler():
        loop = asyncio.get_running_loop()
        asyncio.current_task().cancel("enough")
        inner.append(loop.create_future())
        if then == "raises":
            raise ValueError("first")
        if then == "returns":
            return "value"
        try:
            await (inner[0] if then == "waits" else asyncio.sleep(0))
        except asyncio.CancelledError as error:
            seen.append((then, error.args))
            raise
        return "not cancelled"

    @event_handler("tick")
    async def tick(event):
        return await handler()

    # What a task of asyncio does is what ours has to do.
    task = asyncio.create_task(handler())
    await asyncio.wait([task])
    expected = ("CancelledError" if task.cancelled() else str(task.exception()), seen[:])
    was_cancelled = inner[0].cancelled()
    seen.clear()
    inner.clear()

    stream = TestStream(tick)
    stream.at(0).event("tick", 1)
    result = await stream.run_async()
    (error,) = result.errors
    assert error.message.split(": ")[-1 if then == "raises" else 0] == expected[0]
    assert (seen, inner[0].cancelled()) == (expected[1], was_cancelled)


async def test_a_wait_that_is_cancelled_reaches_the_handler_more_than_once():
    seen = []
    tasks = []

    @event_handler("tick")
    async def stubborn(event):
        tasks.append(asyncio.current_task())
        asyncio.get_running_loop().call_later(0.001, tasks[0].cancel)
        asyncio.get_running_loop().call_later(0.02, tasks[0].cancel)

        async def wait():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append(asyncio.current_task() is tasks[0])

        await wait()
        await wait()
        return "still here"

    stream = TestStream(stubborn)
    stream.at(0).event("tick", 1)
    result = await stream.run_async()
    assert seen == [True, True]
    assert [action.payload for action in result.actions] == ["still here"]


async def test_a_variable_set_in_the_first_step_is_reset_after_a_wait():
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")

    @event_handler("tick")
    async def change(event):
        token = variable.set(event.payload)
        await asyncio.sleep(0)
        seen = variable.get()
        variable.reset(token)
        return {"kind": "seen", "payload": [seen, variable.get(None)]}

    result = await two_ticks(change).run_async()
    assert not result.errors
    assert [action.payload for action in result.actions] == [[1, None], [2, None]]


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("waits", [False, True])
async def test_a_handler_that_exits_fails_its_run_and_not_the_loop(looks, waits):
    @event_handler("tick")
    async def leave(event):
        if looks:
            asyncio.current_task().get_name()
        if waits:
            await asyncio.sleep(0)
        raise SystemExit(3)

    result = await two_ticks(leave).run_async()
    assert len(result.errors) == 2
    assert {type(error.__cause__).__name__ for error in result.errors} == {"HandlerExit"}


@pytest.mark.parametrize("looks", [False, True])
async def test_an_interrupt_in_the_first_step_reaches_the_program(looks):
    @event_handler("tick")
    async def interrupt(event):
        if looks:
            asyncio.current_task().get_name()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await two_ticks(interrupt).run_async()


async def test_a_handler_that_waits_for_nothing_known_is_told_so():
    class Odd:
        def __await__(self):
            yield "odd"

    @event_handler("tick")
    async def odd(event):
        await Odd()

    result = await two_ticks(odd).run_async()
    assert ["Task got bad yield" in error.message for error in result.errors] == [True, True]


@FIRST_STEPS
def test_what_is_no_task_yet_and_has_no_first_step_says_so():
    from live_crew._tasks import FirstStep

    with pytest.raises(RuntimeError, match="has not begun"):
        FirstStep.__new__(FirstStep).done()
