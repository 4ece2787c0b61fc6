"""ADR 0007: an `async def` handler is a task of its own, which begins at once where it can."""

import asyncio
import contextvars
import sys
from collections.abc import Callable
from typing import Any

import pytest

from live_crew import event_handler
from live_crew._drive import Tasks
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
