"""Live streams on JetStream, each program in a process of its own: `jetstream_live.py NAME URL …`.

A publisher in a third process sends events at a steady rate. When an event and the action that
follows from it were stored is told by the server, whose one clock is all there is to compare.
"""

import asyncio
import json
import resource
import statistics
import sys
from contextlib import asynccontextmanager
from datetime import datetime

from jetstream_server import orchestrator

import nats

PAYLOAD = {"name": "Alice", "email": "alice@example.org", "plan": "pro", "city": "Berlin"}
WARM_S = 1
LATENESS_MS = 50


async def publish(url, rate, seconds, streams):
    """Events of `streams` streams in turn, as many a second as asked."""
    connection = await nats.connect(url)
    loop, sent = asyncio.get_running_loop(), 0
    began = loop.time()
    while sent < rate * seconds:
        due = min(int((loop.time() - began) * rate) + 1, int(rate * seconds))
        for n in range(sent, due):
            body = json.dumps({"kind": "signup", "payload": {**PAYLOAD, "n": n}})
            await connection.publish(f"live.s{n % streams}.events", body.encode())
        sent = due
        await asyncio.sleep(0.001)
    await connection.flush()
    await connection.close()


async def published(url, rate, seconds, streams=1):
    args = [url, str(rate), str(seconds), str(streams)]
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "publish", *args)
    assert await process.wait() == 0


async def stored(url, stream, subject):
    """Everything on a subject: the microsecond it was stored, and what it says."""
    connection = await nats.connect(url)
    jetstream, told = connection.jetstream(), []
    last = (await jetstream.stream_info(stream, subjects_filter=subject)).state.subjects or {}
    reader = await jetstream.subscribe(subject, stream=stream, ordered_consumer=True)
    for _ in range(sum(last.values())):
        message = await reader.next_msg(timeout=10)
        told.append((message.metadata.timestamp.timestamp() * 1e6, json.loads(message.data)))
    await connection.close()
    return told


def spread(values_ms, more=()):
    values = sorted(values_ms)
    at = lambda share: values[int(share * (len(values) - 1))]  # noqa: E731
    told = {"p50": statistics.median(values), "p99": at(0.99), "max": values[-1]}
    print(json.dumps({**told, "count": len(values), **dict(more)}))


async def delays(url, rate, out, subject):
    """From when an event was stored to when its action was, without those of the start."""
    began = {}
    for at, event in await stored(url, "LIVE_EVENTS", "p.*.live.*.events"):
        began[event["payload"]["n"]] = at
    told = [(at, action["payload"]["n"]) for at, action in await stored(url, out, subject)]
    missing = len(began) - len({n for _, n in told})
    spread([(at - began[n]) / 1e3 for at, n in told if n >= rate * WARM_S], {"missing": missing})


@asynccontextmanager
async def host(url, **settings):
    start = settings.pop("start", "close")
    made = orchestrator(url, **settings)

    # Live, a function without `async` has a thread of its own for what may block.
    async def greet(event):
        return {"kind": "greeting", "payload": {"n": event.payload["n"]}}

    # A slice waits for what runs in it; else the actions would land in the next one, a slice later.
    more = {"timing": "sync", "timeout_ms": 10_000} if start == "close" else {}
    made.register_handler(greet, "signup", crew="greeter", start=start, **more)
    await made.start()
    await asyncio.sleep(WARM_S)
    yield made


async def until(made, actions):
    for _ in range(6_000):
        if made.progress.actions >= actions:
            return
        await asyncio.sleep(0.01)
    raise SystemExit(f"{made.progress} after a minute")


async def latency(url, seconds, *, rate=1_000, **settings):
    async with host(url, **settings) as made:
        await published(url, rate, float(seconds))
        await until(made, int(rate * float(seconds)))
        await made.stop()
    await delays(url, rate, "LIVE_LOG", "live.*.actions")


async def latency_arrival(url, seconds):
    await latency(url, seconds, slice_ms=500, start="arrival")


async def latency_slices(url, seconds):
    """Slices that close as soon as they may: the server stamps events, so none is out of order."""
    await latency(url, seconds, slice_ms=50, lateness_ms=2)


async def latency_nats_py(url, seconds, *, rate=1_000):
    """By hand: what is there is fetched, published and acknowledged at once."""
    from nats.js.api import ConsumerConfig

    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    await jetstream.add_stream(name="PIPE", subjects=["pipe.>"])
    source = await jetstream.pull_subscribe(
        "", durable="by_hand", stream="LIVE_EVENTS", config=ConsumerConfig(max_ack_pending=8_192)
    )
    publisher = asyncio.ensure_future(published(url, rate, float(seconds)))
    waiting, done = set(), 0

    async def acknowledge(stored, message):
        await stored
        await message.ack()

    while done < int(rate * float(seconds)):
        for message in await source.fetch(256, timeout=10):
            payload = json.loads(message.data)["payload"]
            action = json.dumps({"kind": "greeting", "payload": {"n": payload["n"]}})
            acked = await jetstream.publish_async("pipe.greetings", action.encode())
            task = asyncio.ensure_future(acknowledge(acked, message))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            done += 1
    await asyncio.gather(publisher, *waiting)
    await jetstream.delete_consumer("LIVE_EVENTS", "by_hand")
    await connection.close()
    await delays(url, rate, "PIPE", "pipe.greetings")


async def beat(url, seconds, *, rate=1_000):
    """How long after the instant a slice may close its actions are stored."""
    async with host(url, slice_ms=500, lateness_ms=LATENESS_MS) as made:
        await published(url, rate, float(seconds))
        await until(made, int(rate * float(seconds)))
        result = await made.stop()
    # Before everything is read back for the figures.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lags = []
    for at, action in await stored(url, "LIVE_LOG", "live.*.actions"):
        end = datetime.fromisoformat(action["ts"].replace("Z", "+00:00")).timestamp() * 1e6
        lags.append((at - end) / 1e3 - LATENESS_MS)
    more = {"late": result.counters["late"], "errors": len(result.errors), "peak_mb": peak}
    spread(lags[int(rate * WARM_S) :], more)


def resident_mb():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * resource.getpagesize() / (1 << 20)


async def streams(url, count):
    """An event for each of many streams: new ones, then again."""
    count = int(count)
    async with host(url, slice_ms=500) as made:
        before = resident_mb()
        took = []
        for times in (1, 2):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await published(url, count / 2, 2, count)
            sent = loop.time()
            await until(made, times * count)
            took.append((sent - began, loop.time() - sent))
        held = resident_mb() - before
        result = await made.stop()
    assert not result.errors and len(result.digests) == count, (result.errors, result.counters)
    told = {"new_s": took[0][1], "again_s": took[1][1], "sent_s": took[1][0]}
    told |= {"mb": held, "kb_each": 1024 * held / count, "late": result.counters["late"]}
    print(json.dumps(told))


def main():
    name, url, *more = sys.argv[1:]
    if name == "publish":
        rate, seconds, many = more
        asyncio.run(publish(url, float(rate), float(seconds), int(many)))
    else:
        asyncio.run(globals()[name](url, *more))


if __name__ == "__main__":
    main()
