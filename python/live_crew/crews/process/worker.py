"""The program's side of one child."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from live_crew.crews.notes import Notes, log
from live_crew.crews.process.forks import Forks, keep_to_ourselves
from live_crew.crews.process.limits import Limits, Used, out_of_time, used_by, watch
from live_crew.crews.process.output import Output
from live_crew.crews.process.spec import Spec
from live_crew.crews.process.wire import Frames, packed, restored
from live_crew.errors import LiveCrewError

__all__ = ["Worker"]

_CHUNK = 256 << 10


class Worker:
    """A process that has loaded a crew, or is about to, and does one thing at a time."""

    def __init__(self, forks: Forks, spec: Spec, ended: Callable[[Worker], None]) -> None:
        self.spec = spec
        self.pid = 0
        self.is_alive = True
        self.idle_since = 0.0
        self._loaded: Used | None = None
        self._forks = forks
        self._when_ended = ended
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._reply: asyncio.Future[Any] | None = None
        self._notes: Notes | None = None
        self._extra: dict[str, Any] = {}
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        with theirs:
            ours.setblocking(False)  # noqa: FBT003
            os.set_blocking(output, False)
            try:
                self._number = forks.fork(theirs, printed, self._ended)
            except OSError as error:
                ours.close()
                os.close(output)
                raise LiveCrewError(f"no process could be asked for: {error}") from error
            finally:
                os.close(printed)
        self._sock = keep_to_ourselves(ours)
        self._output = Output(output)
        self._loop.add_reader(ours, self._read)
        self._loop.add_reader(output, self._print)

    async def load(self, surroundings: object) -> None:
        """Let it load its crew."""
        extra = {"crew": self.spec.name}
        what, *about = await self._ask((self.spec, surroundings), None, self.spec.name, extra)
        if what == "failed":
            raise restored(about[0])
        if self.spec.limits:
            self._loaded = used_by(self.pid)

    async def do(self, given: Any, notes: Notes, extra: dict[str, Any]) -> Any:
        """Let it do a run; the result is what it answered."""
        who = f"{extra['crew']}/{extra['run']}"
        if self._loaded is None:
            return await self._ask(given, notes, who, extra)
        watching = asyncio.ensure_future(self._watch(self.spec.limits, self._loaded))
        try:
            return await self._ask(given, notes, who, extra)
        finally:
            watching.cancel()

    def kill(self) -> None:
        """End it and what it started, whatever it does."""
        self.is_alive = False
        self._forks.kill(self._number)

    @property
    def is_used_up(self) -> bool:
        """Whether earlier runs left so much behind that the limit would hit one that did not."""
        most = self.spec.limits.memory_mb
        if most is None or self._loaded is None:
            return False
        now = used_by(self.pid)
        return now is None or (now.memory - self._loaded.memory) >> 20 > most // 2

    # -- inside ----------------------------------------------------------------------------

    async def _ask(self, message: Any, notes: Notes | None, who: str, extra: dict[str, Any]) -> Any:
        self._notes, self._extra = notes, extra
        self._output.begin(who, extra)
        self._reply = reply = self._loop.create_future()
        try:
            sending = self._loop.create_task(self._send(packed(message)))
            try:
                return await reply
            finally:
                # It may have ended without having read everything.
                sending.cancel()
        finally:
            self._output.end()
            self._reply = self._notes = None

    async def _send(self, data: bytes) -> None:
        # If it has ended, how is being told.
        with contextlib.suppress(OSError):
            await self._loop.sock_sendall(self._sock, data)

    async def _watch(self, limits: Limits, loaded: Used) -> None:
        said = await watch(self.pid, limits, loaded)
        self._fail(LiveCrewError(said))
        self.kill()

    def _read(self) -> bool:
        """Take what it says. Whether there may be more at once."""
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            # How it ended is told by the server.
            self._loop.remove_reader(self._sock)
            return False
        try:
            for what, *about in self._frames.feed(data):
                self._take(what, *about)
        except Exception as error:  # noqa: BLE001 (whatever is wrong with what it said)
            self._fail(LiveCrewError(f"its answer cannot be read: {error}; answer with JSON"))
            self.kill()
        return True

    def _take(self, what: str, *about: Any) -> None:
        if what == "note":
            name, args, keywords = about
            if self._notes is not None:
                getattr(self._notes, name)(*args, **keywords)
        elif what == "log":
            self._log(about[0])
        elif what == "left out":
            log.warning("%s: %s are left out", self.spec.name, about[0], extra=self._extra)
        else:
            if what == "loaded":
                self.pid = about[0]
            if self._reply is not None and not self._reply.done():
                self._reply.set_result((what, *about))

    def _log(self, record: dict[str, Any]) -> None:
        logger = logging.getLogger(record["name"])
        if logger.isEnabledFor(record["levelno"]):
            logger.handle(logging.makeLogRecord({**self._extra, **record}))

    def _print(self) -> None:
        if not self._output.read():
            self._loop.remove_reader(self._output.fd)

    def _fail(self, error: BaseException) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)

    def _ended(self, how: int | str) -> None:
        self.is_alive = False
        # What it said last may still be on its way to us.
        while self._read():
            pass
        self._fail(LiveCrewError(self._told(how)))
        self._loop.remove_reader(self._sock)
        self._loop.remove_reader(self._output.fd)
        self._output.close()
        self._when_ended(self)
        # After a message that was on its way to it is given up.
        self._loop.call_later(1, self._sock.close)

    def _told(self, how: int | str) -> str:
        if isinstance(how, str):
            return f"its process {how}"
        if how >= 0:
            return f"its process ended with exit code {how} before it answered"
        if -how == signal.SIGXCPU and self.spec.limits.cpu_s is not None:
            return out_of_time(self.spec.limits)
        try:
            name = signal.Signals(-how).name
        except ValueError:
            name = f"signal {-how}"
        hint = "; perhaps the system was out of memory" if -how == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
