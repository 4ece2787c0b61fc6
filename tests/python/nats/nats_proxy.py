"""A wire between a client and a server that can be cut, made slow, or go dead without a word.

It can also tell another time than the server does, as one with another clock would.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from nats_clock import by_another_clock
from typing_extensions import Self

_MOST = 1 << 16


class Proxy:
    """Stands before one server. Everything is done by the event loop it was started in."""

    def __init__(self, target: str) -> None:
        self._port = urlsplit(target).port
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self.is_cut = False
        self.is_dead = False
        self.delay_s = 0.0
        self.clock_off_s = 0
        self._catches: list[tuple[bytes, bool, asyncio.Event]] = []

    @classmethod
    async def start(cls, target: str) -> Self:
        """One before the server of this URL, on a port of its own."""
        made = cls(target)
        made._server = await asyncio.start_server(made._accept, "127.0.0.1", 0)
        return made

    @property
    def url(self) -> str:
        """What to connect to instead of the server."""
        assert self._server is not None
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def wires(self) -> int:
        """How many connections there are."""
        return len(self._wires)

    def cut(self) -> None:
        """Breaks every connection; new ones are broken at once until `mend`."""
        self.is_cut = True
        self._drop()

    def go_dead(self) -> None:
        """Swallows what both sides say, and tells neither: the connections of now, and new ones.

        What was swallowed is lost, so a connection that was dead stays dead: whoever waits at its
        end has to find out. Only new ones work after `mend`.
        """
        self.is_dead = True
        for wire in self._wires:
            wire.is_dead = True

    def mend(self) -> None:
        """Lets new connections through, at once."""
        self.is_cut = self.is_dead = False
        self.delay_s = 0.0

    def hang_up(self) -> None:
        """Breaks every connection; new ones are let through."""
        self._drop()

    def catch(self, what: bytes, *, answer: bool = False) -> asyncio.Event:
        """Swallows the first words of a client, or of the server, that have this in them.

        Their connection is dead from then on; the event tells that it happened.
        """
        caught = asyncio.Event()
        self._catches.append((what, answer, caught))
        return caught

    def is_caught(self, data: bytes, *, answer: bool) -> bool:
        """Whether somebody waits for these words."""
        for one in self._catches:
            if one[1] == answer and one[0] in data:
                self._catches.remove(one)
                one[2].set()
                return True
        return False

    async def close(self) -> None:
        """Lets nothing behind."""
        assert self._server is not None
        self._server.close()
        self._drop()
        await asyncio.gather(*(wire.over.wait() for wire in self._wires))

    def _drop(self) -> None:
        for wire in list(self._wires):
            wire.drop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        wire = _Wire(self, writer)
        self._wires.add(wire)
        try:
            await wire.carry(reader, self._port)
        finally:
            self._wires.discard(wire)
            wire.over.set()


class _Wire:
    """One connection."""

    def __init__(self, proxy: Proxy, near: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writers = [near]
        self._ways: list[asyncio.Task[None]] = []
        self.is_dead = proxy.is_dead
        self.over = asyncio.Event()

    def drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for way in self._ways:
            way.cancel()

    async def carry(self, near: asyncio.StreamReader, port: int | None) -> None:
        try:
            far, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return self.drop()
        self._writers.append(writer)
        there = self._way(near, writer, answer=False)
        back = self._way(far, self._writers[0], answer=True)
        self._ways = [asyncio.ensure_future(there), asyncio.ensure_future(back)]
        if self._proxy.is_cut:
            return self.drop()
        # One that ends ends the other: nobody is left with half of it.
        await asyncio.wait(self._ways, return_when=asyncio.FIRST_COMPLETED)
        self.drop()
        await asyncio.wait(self._ways)
        return None

    async def _way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        """Carries bytes, each as late as is said when it comes."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        clock: Callable[[], float] = asyncio.get_running_loop().time
        giving = asyncio.ensure_future(self._give(held, writer))
        rest = b""
        try:
            with suppress(OSError):
                while data := await reader.read(_MOST):
                    if answer and (self._proxy.clock_off_s or rest):
                        whole, end, rest = (rest + data).rpartition(b"\n")
                        data = by_another_clock(whole + end, self._proxy.clock_off_s)
                    if self._proxy.is_caught(data, answer=answer):
                        self.is_dead = True
                    if not self.is_dead:
                        held.put_nowait((clock() + self._proxy.delay_s, data))
        finally:
            giving.cancel()

    async def _give(
        self, held: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
    ) -> None:
        clock: Callable[[], float] = asyncio.get_running_loop().time
        with suppress(OSError):
            while True:
                due, data = await held.get()
                if due > clock():
                    await asyncio.sleep(due - clock())
                if not self.is_dead:
                    writer.write(data)
                    await writer.drain()
