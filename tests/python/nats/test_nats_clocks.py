"""Servers that do not agree on the time: another one leads, and time is another."""

import asyncio
import json

import pytest
from nats_hosts import host, is_sound, live, outside, ready, score
from nats_proxy import Proxy

from live_crew import event_handler

pytestmark = pytest.mark.timeout(120)


async def test_slices_follow_the_server_that_leads_and_lose_nothing(nats_server):
    proxy = await Proxy.start(nats_server.url)
    made = host(proxy, score, late_policy="drop")
    async with live(made, "clocks") as running, outside(nats_server, "clocks") as other:
        await ready(nats_server)
        told = asyncio.Queue()
        for channel in ("actions", "late"):
            await other.connection.subscribe(f"live.clocks.{channel}", cb=told.put)
        answered, late, sent = [], [], 0
        for off_s in (0, 2, -1):
            proxy.clock_off_s = off_s
            before = len(answered)
            # Late ones say so at once; what is ahead of its time waits for it.
            while len(answered) < before + 3:
                await other.goals(sent)
                found, what = _goal(await asyncio.wait_for(told.get(), 20))
                (answered if found else late).append(what)
                sent += 1
                assert sent < 50_000, "everything is late for ever"
        result = await made.stop()
        # Beside this loop, in which the proxy is.
        assert await asyncio.to_thread(is_sound, made, "clocks")
    await proxy.close()
    assert running.done()
    assert sorted(answered + late) == list(range(sent))
    assert late, "a clock that goes back makes events late"
    assert result.counters["late"] == len(late)
    assert result.events_processed == len(answered)
    assert result.context["clocks"] == {"score": {"home": len(answered)}}


def _goal(message):
    """Which goal it is about, and whether that was answered or was late."""
    told = json.loads(message.data)
    found = "event" not in told
    return found, told["payload"]["goal"] if found else told["event"]["payload"]["n"]


@event_handler("goal", timeout_ms=1_500)
async def say(event):
    return {"kind": "said", "payload": {"goal": event.payload["n"]}}


async def test_runs_are_not_taken_for_old_by_the_clock_of_a_server_that_leads_no_more(nats_server):
    proxy = await Proxy.start(nats_server.url)
    handlers = (score, say)
    scheduler = host(nats_server, *handlers, transport={"role": "scheduler"})
    runner = host(proxy, *handlers, transport={"role": "runner"})
    async with live(scheduler, "old-runs", {"score"}), outside(nats_server, "old-runs") as other:
        await ready(nats_server)
        async with live(runner, "old-runs", {"say"}):
            await other.goals(*range(3))
            assert sorted(await other.actions(3, "said")) == [0, 1, 2]
            proxy.clock_off_s = -5
            await other.goals(*range(3, 6))
            assert sorted(await other.actions(6, "said")) == list(range(6))
        result = await scheduler.stop()
    await proxy.close()
    assert result.ok, result.errors
