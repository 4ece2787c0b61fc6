"""The fork server: a process that has imported CrewAI and does nothing but fork.

It has one thread, no terminal, and none of the files of the program that started it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
import warnings
from typing import NoReturn

__all__ = ["FORK", "KILL", "REQUEST", "main"]

# What the program asks: what to do, and to which child. With FORK go two descriptors.
REQUEST = struct.Struct("!cQ")
FORK, KILL = b"F", b"K"
_PR_SET_PDEATHSIG = 1


def main(control_fd: int) -> NoReturn:
    """Import CrewAI, then fork whenever it is asked to, until the program is gone."""
    _die_with_parent()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    from live_crew.crews.process.wire import failure_of, packed

    try:
        from live_crew.crews.process import child  # noqa: F401 (what every child needs is here)
    except BaseException as error:  # noqa: BLE001 (whoever waits for it is told)
        control.sendall(packed(("failed", failure_of(error))))
        os._exit(1)
    # What is here at the fork is not looked at again, so its pages stay shared.
    gc.collect()
    gc.freeze()
    control.sendall(packed(("ready",)))
    _Server(control).serve()


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)  # noqa: FBT003
        self._waker.setblocking(False)  # noqa: FBT003
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno())

    def serve(self) -> NoReturn:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self._woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._reap()
            if self._control.fileno() in ready:
                self._obey()

    def _obey(self) -> None:
        request, fds = b"", list[int]()
        with contextlib.suppress(ConnectionError):
            request, fds, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
        if len(request) < REQUEST.size:
            for number in list(self._children):
                self._kill(number)
            os._exit(0)
        what, number = REQUEST.unpack(request)
        if what == KILL:
            self._kill(number)
        else:
            self._fork(number, *fds)
            for fd in fds:
                os.close(fd)

    def _fork(self, number: int, sock: int, output: int) -> None:
        try:
            with warnings.catch_warnings():
                # Threads that libraries of numbers start at import survive a fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
        except OSError as error:
            self._tell(("unborn", number, f"could not be started: {error}"))
            return
        if pid:
            self._children[number] = pid
            return
        code = 70
        try:
            code = self._become_child(sock, output)
        finally:
            os._exit(code)

    def _become_child(self, sock: int, output: int) -> int:
        # A group of its own, so that a kill takes along what the crew has started.
        os.setsid()
        _die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for ours in (self._control, self._woken, self._waker):
            ours.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.set_inheritable(sock, False)  # noqa: FBT003
        from live_crew.crews.process.child import live

        return live(socket.socket(fileno=sock))

    def _kill(self, number: int) -> None:
        pid = self._children.get(number)
        if pid is None:
            return
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        for number, pid in list(self._children.items()):
            code = _ended(pid)
            if code is not None:
                del self._children[number]
                self._tell(("died", number, code))

    def _tell(self, message: tuple[object, ...]) -> None:
        from live_crew.crews.process.wire import packed

        with contextlib.suppress(ConnectionError):
            self._control.sendall(packed(message))


def _ended(pid: int) -> int | None:
    """The exit code of a child that has ended, once what is left of its group is killed."""
    if hasattr(os, "waitid"):
        # Looked at first and taken away last: until then no other process can have its number.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _die_with_parent() -> None:
    """Be killed when the parent is, where the system can do that; elsewhere pipes end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
