"""A signal wakes a loop that is about to fall asleep."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading

__all__ = ["Alarm"]

_NOBODY = -1


class Alarm:
    """Lets signals wake the loop of the main thread, as long as nobody else has seen to it.

    Python acts on a signal between two instructions. One that comes after the last of them, just
    before the loop waits for its sockets, ends no system call and would be acted on when something
    else wakes the loop, which may be never. Here it writes to one of these sockets.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ear: socket.socket | None = None
        if threading.current_thread() is not threading.main_thread():
            return  # no signals here
        ear, self._bell = socket.socketpair()
        ear.setblocking(False)  # noqa: FBT003 (its only argument)
        self._bell.setblocking(False)  # noqa: FBT003 (its only argument)
        before = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        if before != _NOBODY:
            signal.set_wakeup_fd(before)
            ear.close()
            self._bell.close()
            return
        self._ear = ear
        loop.add_reader(ear.fileno(), _hear, ear)

    def close(self) -> None:
        """Leave signals as they were, or to who has seen to them meanwhile."""
        ear, self._ear = self._ear, None
        if ear is None:
            return
        last = signal.set_wakeup_fd(_NOBODY)
        if last not in (self._bell.fileno(), _NOBODY):
            signal.set_wakeup_fd(last)
        self._loop.remove_reader(ear.fileno())
        ear.close()
        self._bell.close()


def _hear(ear: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        ear.recv(4096)
