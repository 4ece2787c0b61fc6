"""The programs that are measured, each in a process of its own: `programs.py NAME FILE COUNT`.

All of them read the same JSON Lines file, put events into slices of 500 ms where they can, call one
handler that reads the payload, and write its actions as JSON Lines. A program prints what it took.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path


def greet(event):
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


async def greet_async(event):
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


def live_crew(file, count, handler=None, handlers=1):
    from live_crew import Orchestrator

    orchestrator = Orchestrator()
    orchestrator.register_handler(handler or greet, "signup", crew="greeter")
    for other in range(1, handlers):
        orchestrator.register_handler(greet, f"kind_{other}", crew=f"other_{other}")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = orchestrator.run_sync(file, actions=Path(folder) / "actions.jsonl")
        took = time.perf_counter() - began
    assert result.actions_published == count, result
    return took


def live_crew_async(file, count):
    return live_crew(file, count, handler=greet_async)


def live_crew_100_handlers(file, count):
    return live_crew(file, count, handlers=100)


def live_crew_events(file, count):
    """Ready-made events, no JSON on the way in."""
    from live_crew import Orchestrator, load_events_from_file

    events = load_events_from_file(file)
    for event in events:
        event.payload  # noqa: B018 (decoded before the clock starts)
    orchestrator = Orchestrator()
    orchestrator.register_handler(greet, "signup", crew="greeter")
    began = time.perf_counter()
    result = orchestrator.run_sync(events)
    took = time.perf_counter() - began
    assert result.actions_published == count, result
    return took


def _context(file, count, keys):
    """Events of one slice that write `keys` distinct keys in turn."""
    from live_crew import Orchestrator

    def write(event, ctx):
        ctx[f"k{event.payload['id'] % keys}"] = event.payload["id"]

    orchestrator = Orchestrator(slice_ms=10_000, context={"max_bytes": 1 << 24})
    orchestrator.register_handler(write, "signup", crew="writer")
    began = time.perf_counter()
    result = orchestrator.run_sync(file)
    took = time.perf_counter() - began
    assert result.ok and sum(map(len, result.context.values())) == min(keys, count)
    return took


def live_crew_context_1000(file, count):
    return _context(file, count, 1_000)


def live_crew_context_16000(file, count):
    return _context(file, count, 16_000)


def _crews(file, count, needs):
    from live_crew import Orchestrator

    orchestrator = Orchestrator()
    orchestrator.register_handler(lambda event: None, "signup", crew="c0")
    for n in range(1, 100):
        orchestrator.register_handler(lambda event: None, "signup", crew=f"c{n}", needs=needs(n))
    began = time.perf_counter()
    result = orchestrator.run_sync(file)
    took = time.perf_counter() - began
    assert result.ok and result.counters["landed"] == 100 * count, result.counters
    return took


def live_crew_chain(file, count):
    return _crews(file, count, lambda n: [(f"c{n - 1}", 0)])


def live_crew_fan_in(file, count):
    return _crews(file, count, lambda n: [(f"c{m}", 0) for m in range(99)] if n == 99 else [])


def bytewax(file, count):
    from datetime import datetime, timedelta, timezone

    import bytewax.operators as op
    import bytewax.operators.windowing as win
    import orjson
    from bytewax.connectors.files import FileSource
    from bytewax.dataflow import Dataflow
    from bytewax.operators.windowing import EventClock, TumblingWindower
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main

    written = 0
    folder = tempfile.TemporaryDirectory()
    out = (Path(folder.name) / "actions.jsonl").open("wb")

    class Lines(StatelessSinkPartition):
        def write_batch(self, items):
            nonlocal written
            written += len(items)
            out.write(b"\n".join(items) + b"\n")

    class Out(DynamicSink):
        def build(self, step_id, worker_index, worker_count):
            return Lines()

    def decode(line):
        event = orjson.loads(line)
        return event["stream_id"], event

    def handle(keyed):
        stream, (_, events) = keyed
        return [
            orjson.dumps(
                {
                    "kind": "greeting",
                    "payload": f"Welcome {event['payload']['name']}!",
                    "stream_id": stream,
                    "ts": event["ts"],
                    "ttl_ms": 5000,
                }
            )
            for event in events
        ]

    clock = EventClock(
        lambda event: datetime.fromisoformat(event["ts"]),
        wait_for_system_duration=timedelta(seconds=5),
    )
    windower = TumblingWindower(
        length=timedelta(milliseconds=500), align_to=datetime(2025, 7, 1, tzinfo=timezone.utc)
    )
    flow = Dataflow("greet")
    lines = op.input("in", flow, FileSource(file, batch_size=1_000))
    keyed = op.map("decode", lines, decode)
    windows = win.collect_window("slices", keyed, clock, windower)
    actions = op.flat_map("handle", windows.down, handle)
    op.output("out", actions, Out())
    began = time.perf_counter()
    run_main(flow)
    took = time.perf_counter() - began
    assert written == count, written
    return took


def faststream(file, count):
    import logging

    import orjson
    from faststream.nats import NatsBroker, TestNatsBroker

    logging.disable(logging.CRITICAL)
    broker = NatsBroker(logger=None)
    written = 0
    folder = tempfile.TemporaryDirectory()
    out = (Path(folder.name) / "actions.jsonl").open("wb")

    @broker.subscriber("events")
    @broker.publisher("actions")
    async def handle(event: dict) -> dict:
        return {"kind": "greeting", "payload": f"Welcome {event['payload']['name']}!"}

    @broker.subscriber("actions")
    async def sink(action: dict) -> None:
        nonlocal written
        written += 1
        out.write(orjson.dumps(action) + b"\n")

    async def main():
        async with TestNatsBroker(broker):
            began = time.perf_counter()
            with open(file, "rb") as lines:
                for line in lines:
                    await broker.publish(orjson.loads(line), "events")
            return time.perf_counter() - began

    took = asyncio.run(main())
    assert written == count, written
    return took


def main():
    name, file, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    took = globals()[name](file, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "peak_mb": peak, "pid": os.getpid()}))


if __name__ == "__main__":
    main()
