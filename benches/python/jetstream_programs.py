"""What is measured on JetStream, each in a process of its own.

`jetstream_programs.py NAME URL COUNT`

All of them read what is in `LIVE_EVENTS`, call one handler that reads the payload and store its
actions, acknowledged. The clock runs from the first event a handler sees to the last action that is
stored: who connects faster is not what is asked.
"""

import asyncio
import json
import resource
import sys
import time
from collections import deque

from jetstream_server import orchestrator

WINDOW = 1_024


class Clock:
    """Begins when it is first looked at."""

    began = None

    def begin(self):
        if self.began is None:
            self.began = time.perf_counter()

    def took(self):
        return time.perf_counter() - self.began


def _live_crew(url, count, **more):
    clock = Clock()

    def greet(event):
        clock.began or clock.begin()
        return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}

    start = more.pop("start", "close")
    made = orchestrator(url, slice_ms=500, **more)
    made.register_handler(greet, "signup", crew="greeter", start=start)

    async def run():
        await made.start()
        while made.progress.actions < count:
            await asyncio.sleep(0.005)
        took = clock.took()
        result = await made.stop(drain=False)
        assert not result.errors and result.actions_published == count, result
        return took

    return asyncio.run(run())


def live_crew(url, count):
    """Slices by the time of the events."""
    return _live_crew(url, count, pace="virtual")


def live_crew_arrival(url, count):
    """The same, and no handler waits for the end of its slice."""
    return _live_crew(url, count, pace="virtual", start="arrival")


def live_crew_behind(url, count):
    """Slices by the clock: a scheduler that was away, for which every event is late."""
    return _live_crew(url, count)


def nats_py(url, count):
    """By hand, as well as asyncio allows: a window of publishes under way, then the acks."""
    from nats.js.api import ConsumerConfig

    import nats

    clock = Clock()

    def greet(body):
        event = json.loads(body)
        action = {"kind": "greeting", "payload": f"Welcome {event['payload']['name']}!"}
        return json.dumps({**action, "stream_id": event["stream_id"], "ts": event["ts"]}).encode()

    async def run():
        connection = await nats.connect(url, pending_size=64 << 20)
        jetstream = connection.jetstream(publish_async_max_pending=2 * WINDOW)
        await jetstream.add_stream(name="PIPE", subjects=["pipe.>"])
        config = ConsumerConfig(max_ack_pending=8 * WINDOW)
        source = await jetstream.pull_subscribe(
            "", durable="by_hand", stream="LIVE_EVENTS", config=config
        )
        done, under_way = 0, deque()
        while done < count:
            for message in await source.fetch(min(256, count - done), timeout=5):
                clock.began or clock.begin()
                stored = await jetstream.publish_async("pipe.greetings", greet(message.data))
                under_way.append((stored, message))
                done += 1
            while len(under_way) > (WINDOW if done < count else 0):
                stored, message = under_way.popleft()
                await stored
                await message.ack()
        await connection.flush()
        took = clock.took()
        await jetstream.delete_consumer("LIVE_EVENTS", "by_hand")
        await connection.close()
        return took

    return asyncio.run(run())


def faststream(url, count):
    """Its pull subscriber, as its guide shows it; actions stored in JetStream."""
    import logging

    from faststream.nats import JStream, NatsBroker, PullSub
    from nats.js.api import ConsumerConfig

    import nats

    logging.disable(logging.CRITICAL)
    clock = Clock()
    broker = NatsBroker(url, logger=None)
    done = asyncio.Event()
    published = 0

    @broker.subscriber(
        "p.*.live.*.events",
        stream=JStream(name="LIVE_EVENTS", declare=False),
        durable="faststream",
        pull_sub=PullSub(batch_size=256),
        config=ConsumerConfig(max_ack_pending=8 * WINDOW),
    )
    async def handle(event: dict):
        nonlocal published
        clock.began or clock.begin()
        action = {"kind": "greeting", "payload": f"Welcome {event['payload']['name']}!"}
        action |= {"stream_id": event["stream_id"], "ts": event["ts"]}
        await broker.publish(action, "pipe.greetings", stream="PIPE")
        published += 1
        if published == count:
            done.set()

    async def run():
        own = await nats.connect(url)
        await own.jetstream().add_stream(name="PIPE", subjects=["pipe.>"])
        async with broker:
            await broker.start()
            await done.wait()
            took = clock.took()
        await own.jetstream().delete_consumer("LIVE_EVENTS", "faststream")
        await own.close()
        return took

    return asyncio.run(run())


def main():
    name, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    took = globals()[name](url, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "peak_mb": peak}))


if __name__ == "__main__":
    main()
