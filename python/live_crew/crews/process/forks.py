"""The program's side of the fork server: it is started once, and makes children."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable

from live_crew.crews.missing import NOT_INSTALLED, is_not_installed
from live_crew.crews.process.server import FORK, KILL, REQUEST
from live_crew.crews.process.wire import Frames, restored
from live_crew.errors import ConfigError, LiveCrewError

__all__ = ["Forks", "keep_to_ourselves"]

_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from live_crew.crews.process.server import main; main(int(sys.argv[1]))"
)
# Told how a child ended: its exit code, `-9` for signal 9, or what else became of it.
Ended = Callable[["int | str"], None]

# What a fork of the program must let go of, lest it keep our children alive or talk to them.
_ours: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def keep_to_ourselves(sock: socket.socket) -> socket.socket:
    """Let a socket be closed in a process that is forked off the program."""
    _ours.add(sock)
    return sock


def _let_go() -> None:
    for sock in list(_ours):
        with contextlib.suppress(OSError):
            os.close(sock.detach())
    _ours.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class Forks:
    """A fork server, which lives as long as this process. To be used on one loop."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._ended: dict[int, Ended] = {}
        self._frames = Frames()
        self.is_gone = False
        self.ready: asyncio.Future[None] = self._loop.create_future()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter)
                _command(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # An interrupt at the terminal is for the program, which then drains.
                start_new_session=True,
            )
        ours.setblocking(False)  # noqa: FBT003
        self._control = keep_to_ourselves(ours)
        self._loop.add_reader(ours, self._read)
        atexit.register(self.stop)

    def fork(self, sock: socket.socket, output: int, ended: Ended) -> int:
        """Ask for a child with a socket and an output; its number is what `kill` takes."""
        number = next(self._numbers)
        self._ended[number] = ended
        socket.send_fds(self._control, [REQUEST.pack(FORK, number)], [sock.fileno(), output])
        return number

    def kill(self, number: int) -> None:
        """Kill a child and what it started, at once."""
        if number in self._ended and not self.is_gone:
            # If the server is gone, so are its children.
            with contextlib.suppress(OSError):
                self._control.sendall(REQUEST.pack(KILL, number))

    def stop(self) -> None:
        """End it and all children."""
        if self._pid != os.getpid() or self._process.returncode is not None:
            return
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if not self.ready.done():
            # It imports crewai and would look at its socket only afterwards.
            self._process.kill()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone()
            return
        for what, *about in self._frames.feed(data):
            if what == "ready":
                self.ready.set_result(None)
            elif what == "failed":
                error = restored(about[0])
                missing = is_not_installed(error)
                self.ready.set_exception(ConfigError(NOT_INSTALLED) if missing else error)
            else:
                number, how = about
                if ended := self._ended.pop(number, None):
                    ended(how)

    def _gone(self) -> None:
        self.is_gone = True
        self._loop.remove_reader(self._control)
        self._control.close()
        self._process.wait()
        atexit.unregister(self.stop)
        code = self._process.returncode
        if not self.ready.done():
            self.ready.set_exception(
                LiveCrewError(f"the process that loads CrewAI ended with exit code {code}")
            )
        for ended in list(self._ended.values()):
            ended("ended with the one that made it")
        self._ended.clear()


def _command(fd: int) -> list[str]:
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined] # noqa: SLF001
    path = json.dumps([one for one in sys.path if isinstance(one, str)])
    return [sys.executable, *flags, "-c", _BOOT, str(fd), path]
