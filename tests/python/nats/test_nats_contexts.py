"""Contexts of streams on NATS: in a bucket or in Redis, read by programs of others."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats_hosts import host, live

import nats
from live_crew import event_handler
from live_crew.errors import TransportError

pytestmark = pytest.mark.timeout(120)


@event_handler("goal")
def score(event, ctx):
    ctx.incr("goals")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("redis-server")
    assert program, "no `redis-server` on the path; install the package of that name"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    server = subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
    yield f"redis://127.0.0.1:{port}"
    server.kill()
    server.wait()


async def goals(connection, stream, *numbers):
    for n in numbers:
        body = json.dumps({"kind": "goal", "payload": n}).encode()
        sign = {"Nats-Msg-Id": f"{stream}-{n}"}
        while True:
            # The first host makes the streams there are to publish to.
            with contextlib.suppress(nats.js.errors.NoStreamResponseError):
                await connection.jetstream().publish(f"live.{stream}.events", body, headers=sign)
                break
            await asyncio.sleep(0.02)


async def in_bucket(connection, stream, wanted):
    """The entry of a stream once it is what is wanted."""
    while True:
        with contextlib.suppress(nats.js.errors.Error):
            bucket = await connection.jetstream().key_value("live_ctx")
            entry = await bucket.get(stream)
            if json.loads(entry.value) == wanted:
                return entry
        await asyncio.sleep(0.02)


async def in_redis(url, stream, wanted):
    port = int(url.rsplit(":", 1)[1])
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"HGET lc:{{{stream}}}:ctx context\r\n".encode())
        line = await reader.readline()
        found = None if line == b"$-1\r\n" else await reader.readline()
        writer.close()
        if found is not None and json.loads(found) == wanted:
            return
        await asyncio.sleep(0.02)


async def test_a_foreign_client_reads_the_bucket_and_another_host_goes_on(nats_server):
    stream = "contexts-bucket"
    connection = await nats.connect(nats_server.url)
    async with live(host(nats_server, score, kv_backend="jetstream"), stream):
        await goals(connection, stream, 1, 2)
        first = await in_bucket(connection, stream, {"goals": 2})
        assert first.value == b'{"goals":2}'
    async with live(host(nats_server, score, kv_backend="jetstream"), stream):
        await goals(connection, stream, 3)
        await in_bucket(connection, stream, {"goals": 3})
    await connection.close()


async def test_contexts_of_streams_on_nats_may_be_in_redis(nats_server, redis_url):
    stream = "contexts-redis"
    connection = await nats.connect(nats_server.url)
    for total in (1, 2):
        async with live(host(nats_server, score, kv_backend="redis", kv_url=redis_url), stream):
            await goals(connection, stream, total)
            await in_redis(redis_url, stream, {"goals": total})
    await connection.close()


async def test_a_redis_that_is_not_there_is_told_at_once(nats_server):
    made = host(nats_server, score, kv_backend="redis", kv_url="redis://:hunter2@127.0.0.1:1")
    with pytest.raises(TransportError, match=r"redis://127\.0\.0\.1:1/0") as error:
        await made.run(made._settings.place("contexts-nowhere"))
    assert "hunter2" not in str(error.value)
