"""Three servers that keep copies: what is gone with one of them is nothing."""

import asyncio
from collections import Counter

import pytest
from nats_cluster import start_cluster
from nats_hosts import host, is_sound, live, outside, ready

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def cluster(tmp_path):
    made = start_cluster(tmp_path)
    yield made
    made.kill()


async def test_the_server_that_leads_is_killed_while_events_flow(cluster):
    made = host(cluster, transport={"replicas": 3})
    async with live(made, "led"):
        await ready(cluster)
        async with outside(cluster, "led") as other:
            sent = asyncio.ensure_future(flow(other, 60))
            await other.actions(5)
            leader = cluster.leader("LIVE_LOG")
            cluster.servers[leader].kill()
            await sent
            for stream in ("LIVE_LOG", "LIVE_EVENTS"):
                await asyncio.to_thread(cluster.wait_for_leader, stream)
        # The one who reads has a new connection: an old one may wait for the dead server.
        async with outside(cluster, "led") as other:
            for kind in ("scored", "said"):
                await other.actions(60, kind)
                assert await other.counted(kind) == Counter(range(60))
            # Journals are read when it is back: a reader may be given to a server that is dead.
            await asyncio.to_thread(cluster.revive, leader)
            await asyncio.to_thread(cluster.wait)
            result = await made.stop()
    assert result.ok, result.errors
    assert result.context["led"] == {"score": {"home": 60}}
    assert is_sound(made, "led")


async def flow(other, goals):
    """Sends goals, each again until a server has it."""
    for goal in range(goals):
        while True:
            try:
                await other.goals(goal)
                break
            except Exception:  # noqa: BLE001 (the one that led is dead)
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.02)
