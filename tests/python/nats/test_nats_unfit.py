"""What a host cannot go on with ends it: a server that will not do, a stream that is gone."""

import asyncio
import shutil

import pytest
from nats_hosts import comment, host, live, outside, ready, score
from nats_parts import start

from live_crew.errors import TransportError

pytestmark = pytest.mark.timeout(120)


async def ends(running, *words):
    """Waits for the error a run ends with, and looks for words in it."""
    with pytest.raises(TransportError) as error:
        await asyncio.wait_for(running, 40)
    for word in words:
        assert word in str(error.value)


async def begun(server, made, stream):
    await ready(server)
    async with outside(server, stream) as other:
        await other.goals(1)
        assert await other.actions(1) == [1]


@pytest.mark.parametrize("role", ["both", "runner"])
async def test_a_server_that_comes_back_without_jetstream(start_nats, role):
    server = start_nats()
    made = host(server, score, transport={"role": role})
    place = made._settings.place("bare")
    running = asyncio.ensure_future(made.run(place))
    for _ in range(600):
        if place.live_on:
            break
        await asyncio.sleep(0.05)
    server.kill()
    again = await asyncio.to_thread(start, server.folder, port=server.port, jetstream=None)
    try:
        await ends(running, server.url, "it has no JetStream", "start it with `jetstream` on")
    finally:
        again.kill()


async def test_a_server_that_comes_back_empty(start_nats):
    server = start_nats()
    made = host(server, score)
    async with live(made, "empty") as running:
        await begun(server, made, "empty")
        server.kill()
        shutil.rmtree(server.folder / "store")
        again = await asyncio.to_thread(start, server.folder, port=server.port)
        try:
            await ends(running, server.url, "stream `LIVE_EVENTS` is gone", "start the host again")
            # It goes on from nothing.
            made = host(again, score)
            async with live(made, "empty"):
                await begun(again, made, "empty")
        finally:
            again.kill()


@pytest.mark.parametrize("name", ["LIVE_LOG", "LIVE_RUNS"])
async def test_a_stream_that_is_removed(start_nats, name):
    server = start_nats()
    made = host(server, score)
    async with live(made, "removed") as running:
        await begun(server, made, "removed")
        async with outside(server, "removed") as other:
            await other.connection.jetstream().delete_stream(name)
            await ends(running, server.url, f"stream `{name}` is gone", "restore it")


async def test_a_server_that_is_away_for_long_ends_nothing(start_nats):
    server = start_nats()
    made = host(server, score, comment)
    async with live(made, "patient") as running:
        await begun(server, made, "patient")
        server.kill()
        await asyncio.wait([running], timeout=8)
        assert not running.done()
        again = await asyncio.to_thread(start, server.folder, port=server.port)
        try:
            async with outside(again, "patient") as other:
                await other.goals(2)
                assert sorted(await other.actions(2)) == [1, 2]
            await made.stop()
        finally:
            again.kill()
