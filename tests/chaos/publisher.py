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

    async def run(self, until: float) -> None:
        """Send until a moment."""
        recent: list[tuple[str, int]] = []
        while time.monotonic() < until:
            connection = await self._connect()
            # On a new connection first what may be known already.
            for name, number in recent[-self.die.randrange(5) :]:
                await self._send(connection, name, number)
                self.repeated += 1
            end = min(until, time.monotonic() + self.die.uniform(5, 15))
            while time.monotonic() < end:
                tick = time.monotonic()
                for name in self.streams:
                    await self._send(connection, name, self.sent[name])
                    recent.append((name, self.sent[name]))
                    self.sent[name] += 1
                del recent[:-_REMEMBERED]
                if self.die.random() < 0.1:
                    await self._send(connection, *self.die.choice(recent))
                    self.repeated += 1
                pause = len(self.streams) / self.rate - (time.monotonic() - tick)
                await asyncio.sleep(max(0.0, pause))
            await connection.close()

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

    async def _send(self, connection: "nats.NATS", name: str, number: int) -> None:
        body = json.dumps({"kind": self.streams[name], "payload": number}).encode()
        subject, headers = f"live.{name}.events", {"Nats-Msg-Id": f"{name}-{number}"}
        stream = connection.jetstream(timeout=1)
        acknowledged = None
        while acknowledged is None:
            with suppress(nats.errors.Error, TimeoutError, OSError):
                acknowledged = await stream.publish(subject, body, headers=headers)
            # At once if it arrived; else there is no server, or none that leads.
            await asyncio.sleep(0 if acknowledged else 0.1)


async def _is_expected(_: Exception) -> None:
    """Servers are away: that is what this is about."""
