"""Hosts on a real server, and a program outside that knows nothing of them."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager, suppress

import nats
from live_crew import Orchestrator, event_handler
from live_crew.config import make_config


@event_handler("goal")
def score(event, ctx):
    ctx.incr("score." + event.payload["team"])
    return {"kind": "scored", "payload": {"goal": event.payload["n"]}}


@event_handler("goal")
async def comment(event):
    await asyncio.sleep(0)
    return {"kind": "said", "payload": {"goal": event.payload["n"]}}


def config_of(server, *, transport=None, **more):
    """Of a host that goes straight to a server, a proxy or a cluster."""
    url = getattr(server, "urls", None) or server.url
    at = {"kind": "nats", "url": url, "lease_s": 1, "shards": 2, **(transport or {})}
    return make_config(transport=at, slice_ms=50, **more)


def host(server, *handlers, **more):
    made = Orchestrator(config=config_of(server, **more))
    for handler in handlers or (score, comment):
        made.register_handler(handler)
    return made


@asynccontextmanager
async def live(orchestrator, stream, crews=None):
    """A host that runs until the block ends."""
    place = orchestrator._settings.place(stream, crews)
    running = asyncio.ensure_future(orchestrator.run(place))
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        if not running.done():
            await orchestrator.stop()


class Outside:
    """A program that knows NATS and nothing of live-crew."""

    def __init__(self, connection, stream):
        self.connection, self.stream = connection, stream

    async def goals(self, *numbers, more=()):
        for n in numbers:
            body = json.dumps({"kind": "goal", "payload": {"team": "home", "n": n, **dict(more)}})
            await self.connection.jetstream().publish(
                f"live.{self.stream}.events",
                body.encode(),
                headers={"Nats-Msg-Id": f"{self.stream}-{n}"},
            )

    async def actions(self, count, kind="scored"):
        """The goals of the first actions of a kind, in order, once there are so many."""
        found = []
        subscription = await self._all()
        async with asyncio.timeout(60) if hasattr(asyncio, "timeout") else _nothing():
            while len(found) < count:
                action = json.loads((await subscription.next_msg(timeout=60)).data)
                if action["kind"] == kind:
                    found.append(action["payload"]["goal"])
        await subscription.unsubscribe()
        return found

    async def _all(self):
        subject = f"live.{self.stream}.actions"
        while True:
            # A cluster that lost a server may give a reader to that one; one that has just made its
            # streams may not find them yet.
            with suppress(nats.errors.TimeoutError, nats.js.errors.NotFoundError):
                stream = self.connection.jetstream(timeout=2)
                return await stream.subscribe(subject, ordered_consumer=True)

    async def counted(self, kind="scored"):
        """How often each goal was answered, in everything there is by now."""
        found = Counter()
        subscription = await self._all()
        info = await subscription.consumer_info()
        for _ in range(info.num_pending + info.delivered.consumer_seq):
            action = json.loads((await subscription.next_msg(timeout=10)).data)
            if action["kind"] == kind:
                found[action["payload"]["goal"]] += 1
        await subscription.unsubscribe()
        return found


@asynccontextmanager
async def _nothing():
    yield


@asynccontextmanager
async def outside(server, stream):
    connection = await nats.connect(getattr(server, "urls", None) or server.url)
    try:
        yield Outside(connection, stream)
    finally:
        await connection.close()


def is_sound(orchestrator, stream):
    return orchestrator.journal.verify(stream)["divergence"] is None


async def ready(server):
    """The streams are made by the first host; wait until there are some to publish to."""
    connection = await nats.connect(getattr(server, "urls", None) or server.url)
    for _ in range(600):
        try:
            await connection.jetstream().stream_info("LIVE_DLQ")
            break
        except (nats.js.errors.NotFoundError, nats.errors.TimeoutError):
            await asyncio.sleep(0.05)
    await connection.close()
