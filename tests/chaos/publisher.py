"""A foreign client that sends events, and is not sure whether they arrived."""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from world import World

import nats

# How many events it remembers, to send them once more.
_REMEMBERED = 50
# Messages on their way to the server at a time.
_UNDER_WAY = 500
# One of so many events is large; one of so many messages is none.
_LARGE_ONE_IN = 500
_REFUSED_ONE_IN = 200
# The least bytes of a large one; the most is three times as much.
LARGE_BYTES = 100_000
# What their ids begin with, for who counts.
REFUSED = "refused-"


@dataclass
class Publisher:
    """Each event has an id, and is sent again until the server has it, and sometimes then."""

    world: World
    # Which kind of events each stream has.
    streams: dict[str, str]
    rate: float
    die: random.Random
    sent: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    refused: int = 0
    seconds: float = 0.0
    ended: float = 0.0

    async def run(self, until: float) -> None:
        """Send until a moment."""
        began = time.monotonic()
        recent: list[tuple[str, int]] = []
        while time.monotonic() < until:
            line = _Line(await self._connect())
            # On a new connection first what may be known already.
            for name, number in recent[-self.die.randrange(1, 5) :]:
                await self._again(line, name, number)
            end = min(until, time.monotonic() + self.die.uniform(5, 15))
            due = time.monotonic()
            while time.monotonic() < end:
                for name in self.streams:
                    await self._event(line, name, self.sent[name])
                    recent.append((name, self.sent[name]))
                    self.sent[name] += 1
                del recent[:-_REMEMBERED]
                if self.die.random() < 0.1:
                    await self._again(line, *self.die.choice(recent))
                if self.die.random() < len(self.streams) / _REFUSED_ONE_IN:
                    await self._nonsense(line)
                # What could not be sent in time is not sent in a burst later.
                due = max(due + len(self.streams) / self.rate, time.monotonic() - 0.1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await line.close()
        self.ended = time.monotonic()
        self.seconds = self.ended - began

    async def _connect(self) -> "nats.NATS":
        made = nats.NATS()
        while not made.is_connected:
            with suppress(nats.errors.Error, OSError):
                await made.connect(
                    self.world.servers.urls,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.1,
                    error_cb=_is_expected,
                )
        return made

    async def _event(self, line: "_Line", name: str, number: int) -> None:
        # The same whenever it is sent.
        die = random.Random(f"{name}-{number}")
        payload: dict[str, object] = {"n": number}
        if die.random() < 1 / _LARGE_ONE_IN:
            payload["noise"] = die.randbytes(die.randrange(LARGE_BYTES, 3 * LARGE_BYTES) // 2).hex()
        body = json.dumps({"kind": self.streams[name], "payload": payload}).encode()
        await line.send(name, body, f"{name}-{number}")

    async def _again(self, line: "_Line", name: str, number: int) -> None:
        self.repeated += 1
        await self._event(line, name, number)

    async def _nonsense(self, line: "_Line") -> None:
        """What is no event, or one of another time."""
        name = self.die.choice(sorted(self.streams))
        kind = self.streams[name]
        bodies = [
            b"no JSON",
            b'{"kind": "thing", "payload": {"n": 1}',
            {"kind": kind},
            {"kind": kind, "payload": {"n": 1}, "stream_id": "another"},
            {"kind": kind, "payload": {"n": 1}, "ts": "2100-01-01T00:00:00Z"},
        ]
        body = self.die.choice(bodies)
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        await line.send(name, text, f"{REFUSED}{self.refused}")
        self.refused += 1


class _Line:
    """One connection, with many messages on their way, none of which is given up."""

    def __init__(self, connection: "nats.NATS") -> None:
        self._connection = connection
        self._stream = connection.jetstream(timeout=1)
        self._room = asyncio.Semaphore(_UNDER_WAY)
        self._under_way: set[asyncio.Task[None]] = set()

    async def send(self, name: str, body: bytes, msg_id: str) -> None:
        """Send it as soon as there is room for one more."""
        await self._room.acquire()
        task = asyncio.ensure_future(self._until_stored(name, body, msg_id))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait until the server has everything."""
        await asyncio.gather(*self._under_way)
        await self._connection.close()

    async def _until_stored(self, name: str, body: bytes, msg_id: str) -> None:
        subject, headers = f"live.{name}.events", {"Nats-Msg-Id": msg_id}
        acknowledged = None
        while acknowledged is None:
            with suppress(nats.errors.Error, TimeoutError, OSError):
                acknowledged = await self._stream.publish(subject, body, headers=headers)
            # At once if it arrived; else there is no server, or none that leads.
            await asyncio.sleep(0 if acknowledged else 0.1)
        self._room.release()


async def _is_expected(_: Exception) -> None:
    """Servers are away: that is what this is about."""
