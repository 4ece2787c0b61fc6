"""Steps a session of the core on the running event loop, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from live_crew._core import Session
from live_crew._signals import Alarm

__all__ = ["Drive"]

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
