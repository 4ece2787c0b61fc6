"""Runs the coroutines of handlers as tasks of the running loop: at once, where that can be done.

Most of them never wait. The core takes the first step of a coroutine with a task that is none yet
(`FirstStep`) as the current one; it becomes a task when somebody looks at it, or when the coroutine
waits, and stays the same object. Nobody misses a task that nobody looked at.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from live_crew._core import Run, first_step_of
from live_crew.errors import HandlerExit

__all__ = ["Tasks"]

_NAME = "live-crew handler"


class HandlerTask(asyncio.Task[Any]):
    """The task of a handler that took its first step without one."""


class FirstStep(asyncio.Task[Any]):
    """What `asyncio.current_task` gives in a first step; looked at, it is a `HandlerTask`.

    Nothing of a task is in it before: it must not be used otherwise.
    """

    def __getattribute__(self, name: str) -> Any:
        return getattr(_become_task(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_become_task(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_become_task(self), name)

    def __repr__(self) -> str:
        return repr(_become_task(self))

    def __await__(self) -> Generator[Any, None, Any]:
        return _become_task(self).__await__()

    __iter__ = __await__


def _become_task(task: FirstStep) -> asyncio.Task[Any]:
    tasks, context = first_step_of(task)
    made: asyncio.Task[Any] = tasks.become(task, context)
    return made


class _Rest:
    """A coroutine without its first step, which somebody else took and tells of."""

    def __init__(self) -> None:
        self.steps: Generator[Any, None, Any] | None = None
        # What the first step came to: what it waits for, or its end.
        self.waits_for: Any = None
        self.answer: Any = None
        self.error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        cancelled: BaseException | None = None
        try:
            # The task that comes to be within the first step begins here, when that is over.
            yield
        except asyncio.CancelledError as error:
            cancelled = error
        if self.steps is not None:
            return (yield from self._go_on(self.steps, cancelled))
        end = self.error or cancelled
        if end is not None:
            raise end
        return self.answer

    def _go_on(
        self, steps: Generator[Any, None, Any], cancelled: BaseException | None
    ) -> Generator[Any, None, Any]:
        waits_for = self.waits_for
        # Cancelled within its first step, a task cancels what it begins to wait for.
        if cancelled is not None and waits_for is not None and waits_for.cancel(*cancelled.args):
            cancelled = None
        try:
            while (thrown := (yield from _woken(waits_for, cancelled))) is not None:
                waits_for, cancelled = steps.throw(thrown), None
            return (yield from steps)
        except StopIteration as done:
            return done.value
        except GeneratorExit:
            steps.close()
            raise


def _woken(
    waits_for: Any, cancelled: BaseException | None
) -> Generator[Any, None, BaseException | None]:
    """Wait; what is to be raised in who waits."""
    try:
        yield waits_for
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is for the coroutine)
        return error
    return cancelled


class _Stepper:
    """Takes the first steps of coroutines, until one of them waits or raises: that one keeps it."""

    def __init__(self) -> None:
        self.waits: list[bool] = []
        self.steps = _steps(self.waits)
        self.send = self.steps.send
        self.send(None)


@types.coroutine
def _steps(waits: list[bool]) -> Generator[Any, Any, Any]:
    coroutine = yield
    while True:
        answer = yield from coroutine
        if waits:
            return answer
        coroutine = yield waits, answer


class Tasks:
    """Runs the coroutines of handlers as tasks of the running loop: at once where Python can."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_dict: dict[str, Any] | None = getattr(self._loop, "__dict__", None)
        # First steps that tasks have asked for.
        self._steps: list[tuple[Any, contextvars.Context]] = []
        self._context = contextvars.copy_context()
        # A loop forgets tasks that nobody else knows.
        self._pending: dict[asyncio.Task[Any], Awaitable[Any]] = {}
        self._runs: dict[asyncio.Task[Any], Run] = {}
        # Those that became tasks within their first step, with what is to follow it.
        self._begun: dict[asyncio.Task[Any], tuple[_Rest, Any]] = {}
        # Set by whoever drives the session.
        self.step: Callable[[], None] | None = None

    def __call__(self, coroutine: Awaitable[Any]) -> asyncio.Task[Any]:
        """Start one."""
        own = _within_its_run(coroutine)
        if sys.version_info >= (3, 12):
            task = asyncio.Task(own, loop=self._loop, name=_NAME, eager_start=True)
        else:
            task, step = self._made(asyncio.Task, own)
            if step is not None:
                # Within a task no other one can begin.
                if asyncio.current_task(self._loop) is None:
                    step[1].run(step[0])
                else:
                    self._loop.call_soon(step[0], context=step[1])
        return self._followed(task, coroutine)

    def first_steps(self) -> tuple[Any, ...] | None:
        """What the core takes first steps with; nothing where tasks take no context."""
        if sys.version_info < (3, 11):
            return None
        from asyncio.tasks import _enter_task, _leave_task

        tasks = (asyncio.Task.__new__, FirstStep, _enter_task, _leave_task, self._loop)
        contexts = (contextvars.copy_context, contextvars.Context.run)
        return (*tasks, weakref.getweakrefcount, types.CoroutineType, *contexts)

    def stepper(self) -> _Stepper:
        """What sends coroutines their first step."""
        return _Stepper()

    def become(self, task: asyncio.Task[Any], context: contextvars.Context) -> asyncio.Task[Any]:
        """Make a task of what is none yet: the same object, in the context of its first step."""
        object.__setattr__(task, "__class__", HandlerTask)
        rest = _Rest()
        own = _within_its_run(rest)
        own.send(None)

        def make(coroutine: Coroutine[Any, Any, Any], **given: Any) -> asyncio.Task[Any]:
            given["context"] = context
            asyncio.Task.__init__(task, coroutine, **given)
            return task

        self._begun[task] = (rest, self._made(make, own)[1])
        return task

    def take_over(
        self,
        task: asyncio.Task[Any],
        context: contextvars.Context,
        coroutine: Awaitable[Any],
        **came_to: Any,
    ) -> asyncio.Task[Any]:
        """Go on as a task after a first step: what it came to is what `_Rest` has of it."""
        if type(task) is FirstStep:
            self.become(task, context)
        rest, step = self._begun.pop(task)
        for name, value in came_to.items():
            setattr(rest, name, value)
        if step is not None:
            context.run(step[0])
        return self._followed(task, coroutine)

    def tell(self, task: asyncio.Task[Any], run: Run) -> None:
        """Tell a run what becomes of its task."""
        self._runs[task] = run

    def cancel(self) -> None:
        """Cancel those whose answers nobody waits for any more."""
        for task in tuple(self._pending):
            task.cancel()

    def _made(
        self, make: Callable[..., asyncio.Task[Any]], coroutine: Coroutine[Any, Any, Any]
    ) -> tuple[asyncio.Task[Any], tuple[Any, contextvars.Context] | None]:
        """A task, and its first step if it can be had before the loop comes round.

        Until 3.12 can start tasks eagerly, this is how: a new task asks its loop to take its first
        step soon, and for that moment it is us whom it asks. The step is to be taken in the context
        of the task and with the task as the current one, as the loop would.
        """
        own = self._loop_dict
        if own is None or "call_soon" in own:
            # A loop that cannot be stood in for, or somebody else does it already.
            return make(coroutine, loop=self._loop, name=_NAME), None
        own["call_soon"] = self._call_soon
        try:
            task = make(coroutine, loop=self._loop, name=_NAME)
        finally:
            del own["call_soon"]
        steps, self._steps = self._steps, []
        mine = None
        for step, context in steps:
            if step.__self__ is task:
                mine = (step, context)
            else:
                # One of a finalizer, which cannot be known to be ready.
                self._loop.call_soon(step, context=context)
        return task, mine

    def _call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle | None:
        if not args and isinstance(getattr(callback, "__self__", None), asyncio.Task):
            self._steps.append((callback, context))
            return None
        # Finalizers and signals come at any time.
        return type(self._loop).call_soon(self._loop, callback, *args, context=context)

    def _followed(self, task: asyncio.Task[Any], coroutine: Awaitable[Any]) -> asyncio.Task[Any]:
        if not task.done():
            self._pending[task] = coroutine
            # What a handler called within the next step sets is not seen by those after it.
            task.add_done_callback(self._finished, context=self._context.copy())
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        # One that is cancelled before it began has not begun its handler either.
        close = getattr(self._pending.pop(task), "close", None)
        if close is not None:
            close()
        run = self._runs.pop(task, None)
        if run is not None and self.step is not None:
            run.take(task)
            # Without the bell, which would take the loop two more turns.
            self.step()


async def _within_its_run(coroutine: Awaitable[Any]) -> Any:
    """A task that exits would take the loop with it."""
    try:
        return await coroutine
    except SystemExit as error:
        raise HandlerExit(error.code) from error
    except KeyboardInterrupt:
        # The session hands it to the program; the task need not complain that nobody took it.
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(asyncio.Task.exception)
        raise
