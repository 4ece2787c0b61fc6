"""Steps a session of the core on the running event loop, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from live_crew._core import Run, Session
from live_crew._signals import Alarm
from live_crew.errors import HandlerExit

__all__ = ["Drive", "Tasks"]

_NAME = "live-crew handler"

Relay = Callable[[list[tuple[str, str | None, bytes]]], Awaitable[None]]


class Drive:
    """One session on one loop. The core rings a socket when a step is due."""

    def __init__(self, session: Session, relay: Relay | None = None) -> None:
        self.session = session
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._stepped = asyncio.Event()
        self._is_due = False
        self._relaying: asyncio.Task[None] | None = None
        fd = session.take_ear()
        if fd is None:
            raise RuntimeError("a session is driven once")
        self._ear = socket.socket(fileno=fd)
        self._loop.add_reader(self._ear.fileno(), self._on_bell)
        self._alarm = Alarm(self._loop)
        self.step_soon()

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, well or not."""
        return self._ended.done()

    async def wait(self) -> dict[str, Any]:
        """Wait for the end of the session; cancelling it aborts the session in good order."""
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            if not self._ended.done():
                self.session.abort()
                # An interrupt may have hit between scheduling a step and taking it.
                self._is_due = False
                self.step_soon()
                await asyncio.wait([self._ended])
            if not self._ended.cancelled():
                self._ended.exception()  # seen, so that nobody warns about it
            raise

    async def stepped(self) -> None:
        """Wait for the next step: what was full may have room, what was empty may have more."""
        self._stepped.clear()
        waiter = asyncio.ensure_future(self._stepped.wait())
        try:
            both: set[asyncio.Future[Any]] = {waiter, self._ended}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()

    def step_soon(self) -> None:
        """Take a step when the loop comes round."""
        if not self._is_due and not self._ended.done():
            self._is_due = True
            self._loop.call_soon(self.step)

    def step(self) -> None:
        """Take a step now, from a callback of the loop."""
        self._is_due = False
        if self._ended.done():
            return
        try:
            outcome = self.session.step()
        except BaseException as error:  # noqa: BLE001 (whatever it is, whoever waits gets it)
            # Unless the session was killed in one of its handlers.
            if not self._ended.done():
                self._ended.set_exception(error)
            self._stop_listening()
            return
        if self._relay is not None:
            self._begin_relay(self._relay)
        if outcome is True:
            self.step_soon()
        elif outcome is not False:
            self._ended.set_result(outcome)
            self._stop_listening()
        self._stepped.set()

    def close(self) -> None:
        """End it without ado; a session that is not over is dropped as a crash would drop it."""
        if not self._ended.done():
            self.session.kill()
            self._ended.cancel()
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._ear.fileno() >= 0:
            self._loop.remove_reader(self._ear.fileno())
            self._ear.close()
        self._alarm.close()
        self._stepped.set()

    def _on_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        self.step_soon()

    def _begin_relay(self, relay: Relay) -> None:
        batch = self.session.take_relay()
        if batch is not None:
            self._relaying = self._loop.create_task(self._publish(relay, batch))

    async def _publish(self, relay: Relay, batch: list[tuple[str, str | None, bytes]]) -> None:
        try:
            await relay(batch)
        except Exception as error:  # noqa: BLE001 (a transport may raise anything; the core says it)
            self.session.published(f"{type(error).__name__}: {error}")
        else:
            self.session.published()
        self.step_soon()


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
        # Set by whoever drives the session.
        self.step: Callable[[], None] | None = None

    def __call__(self, coroutine: Awaitable[Any]) -> asyncio.Task[Any]:
        """Start one."""
        own = _within_its_run(coroutine)
        if sys.version_info >= (3, 12):
            task = asyncio.Task(own, loop=self._loop, name=_NAME, eager_start=True)
        else:
            task = self._started(own)
        if not task.done():
            self._pending[task] = coroutine
            # What a handler called within the next step sets is not seen by those after it.
            task.add_done_callback(self._finished, context=self._context.copy())
        return task

    def tell(self, task: asyncio.Task[Any], run: Run) -> None:
        """Tell a run what becomes of its task."""
        self._runs[task] = run

    def cancel(self) -> None:
        """Cancel those whose answers nobody waits for any more."""
        for task in tuple(self._pending):
            task.cancel()

    def _started(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task whose first step is taken here, instead of when the loop comes round.

        Until 3.12 can start tasks eagerly, this is how: a new task asks its loop to take its first
        step soon, and for that moment it is us whom it asks. The step is taken in the context of
        the task and with the task as the current one, as the loop would.
        """
        own = self._loop_dict
        if own is None or "call_soon" in own:
            # A loop that cannot be stood in for, or somebody else does it already.
            return asyncio.Task(coroutine, loop=self._loop, name=_NAME)
        own["call_soon"] = self._call_soon
        try:
            task = asyncio.Task(coroutine, loop=self._loop, name=_NAME)
        finally:
            del own["call_soon"]
        steps, self._steps = self._steps, []
        for step, context in steps:
            # Within a task no other one can begin, nor can one of a finalizer be known to be ready.
            if step.__self__ is task and asyncio.current_task(self._loop) is None:
                context.run(step)
            else:
                self._loop.call_soon(step, context=context)
        return task

    def _call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle | None:
        if not args and isinstance(getattr(callback, "__self__", None), asyncio.Task):
            self._steps.append((callback, context))
            return None
        # Finalizers and signals come at any time.
        return type(self._loop).call_soon(self._loop, callback, *args, context=context)

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
