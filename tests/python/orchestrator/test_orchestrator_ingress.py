"""How much may come in live, and who is told of what was refused."""

import asyncio
import json
import resource
from datetime import datetime, timezone
from typing import Any

import pytest

from live_crew import Event, Orchestrator, event_handler
from live_crew.errors import ConfigError


def now(stream: str, payload: object = None, kind: str = "tick") -> Event[Any]:
    return Event(ts=datetime.now(timezone.utc), kind=kind, stream_id=stream, payload=payload)


@event_handler("tick")
def echo(event):
    return {"kind": "echo", "payload": event.payload}


def live(**settings: Any) -> Orchestrator:
    orchestrator = Orchestrator(**{"slice_ms": 5, "lateness_ms": 0, **settings})
    orchestrator.register_handler(echo)
    return orchestrator


async def taken(orchestrator: Orchestrator, events: int) -> None:
    while orchestrator.progress.events < events:  # noqa: ASYNC110 (nothing tells of refusals)
        await asyncio.sleep(0.01)


async def test_a_flood_is_refused_and_the_stream_beside_it_is_not():
    payload = "x" * 1_000
    orchestrator = live(ingress={"events_per_s": 100, "burst": 100})
    good = []

    async def listen() -> None:
        actions = orchestrator.actions()
        good.extend([one.payload async for one in actions if one.stream_id == "good"])

    async with orchestrator:
        listening = asyncio.create_task(listen())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(20_000):
            await orchestrator.publish(now("flood", payload))
            if number % 1_000 == 0:
                await orchestrator.publish(now("good", number))
        await taken(orchestrator, 20_020)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await listening
    result = orchestrator.result
    assert good == list(range(0, 20_000, 1_000))
    assert result.counters["too_fast"] == result.counters["refused"] > 15_000
    taken_in = result.counters["events"] + result.counters["late"]
    assert taken_in == 20_020 - result.counters["too_fast"]
    assert "`ingress.events_per_s`" in result.refused[0].reason
    assert len(result.refused) <= 1_000, "the others are counted"
    assert grown < 64 << 10, f"{grown} KB for 20 MB that came in"


async def test_what_comes_out_of_a_file_is_not_limited():
    ticks = [
        {"ts": "2026-01-01T00:00:00Z", "kind": "tick", "stream_id": "s", "payload": n}
        for n in range(50)
    ]
    result = await live(ingress={"events_per_s": 1, "source": {"events_per_s": 1}}).run(ticks)
    assert (result.events_processed, result.counters["too_fast"]) == (50, 0)


async def test_bytes_and_the_source_have_limits_too():
    orchestrator = live(ingress={"bytes_per_s": 10_000, "source": {"events_per_s": 3}})
    async with orchestrator:
        await orchestrator.publish(now("a", "x" * 9_000))
        await orchestrator.publish(now("a", "x" * 9_000))
        for stream in "bcde":
            await orchestrator.publish(now(stream))
        await taken(orchestrator, 6)
    reasons = [refusal.reason for refusal in orchestrator.result.refused]
    assert "`ingress.bytes_per_s`" in reasons[0]
    assert "`ingress.source.events_per_s`" in reasons[1]
    assert len(reasons) == 3


async def test_the_audit_log_has_no_input_in_it(tmp_path):
    path = tmp_path / "audit.jsonl"
    orchestrator = live(audit=path, ingress={"events_per_s": 1})
    async with orchestrator:
        for _ in range(5):
            await orchestrator.publish(now("s", {"note": "hunter2", "password": "hunter2"}))
        await taken(orchestrator, 5)
    text = path.read_text()
    assert "hunter2" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    refused, drained = lines[:-1], lines[-1]
    assert sum(line["count"] for line in refused) == 4
    assert {(line["what"], line["stream_id"], line["source"]) for line in refused} == {
        ("refused", "s", "ingress")
    }
    assert (drained["what"], drained["why"]) == ("drain", "asked for")
    assert drained["source"].startswith("process ")


def test_a_burst_without_a_rate_is_told():
    with pytest.raises(ConfigError, match=r"ingress\.burst: goes with `events_per_s`; add it"):
        Orchestrator(ingress={"burst": 5})
