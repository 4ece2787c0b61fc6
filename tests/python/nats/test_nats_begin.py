"""How hosts begin: servers that are away, come later, or will never do."""

import asyncio
import signal
import socket
import time

import pytest
from nats_command import command
from nats_hosts import host, live, outside, ready
from nats_parts import start
from nats_proxy import Proxy

from live_crew.errors import TransportError

pytestmark = pytest.mark.timeout(120)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_a_host_waits_for_its_server_and_ends_at_once_when_it_is_told_to(tmp_path):
    port = free_port()
    with command(tmp_path, f"nats://me:hush@127.0.0.1:{port}") as one:
        said = one.until("waiting: NATS at")
        assert said == (
            f"waiting: NATS at nats://127.0.0.1:{port}: nobody listens; "
            "start a server there, or correct `url`; Ctrl-C ends\n"
        )
        code, took = one.interrupt()
    assert code == 0
    assert took < 2, one.said
    assert "live on" not in one.said
    assert one.said.count("waiting") == 1


def test_a_host_begins_when_its_server_comes_and_says_what_it_does(tmp_path):
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    with command(tmp_path / "one", url) as one:
        one.until("waiting: NATS at")
        server = start(tmp_path / "server", port=port)
        try:
            said = one.until("deciding for 2 of 2 shards")
            assert f"live on {url}; Ctrl-C ends\n" in said
            assert said.index("waiting") < said.index("live on") < said.index("deciding")
            with command(tmp_path / "two", url, more=", role: runner") as two:
                two.until("live on .* as a runner; Ctrl-C ends")
                assert "deciding" not in two.said
                assert two.interrupt()[0] == 0
            assert one.interrupt()[0] == 0
        finally:
            server.kill()


def test_a_host_whose_stream_another_one_has_stands_by(tmp_path, nats_server):
    with (
        command(tmp_path / "one", nats_server.url, "-s", "stood") as one,
        command(tmp_path / "two", nats_server.url, "-s", "stood") as two,
    ):
        first, second = (one, two) if _decides(one, two) else (two, one)
        second.until("standing by: another host has stream `stood`")
        first.interrupt()
        second.until("deciding for stream `stood`")


def _decides(one, two):
    """Whether it is the first one that decides, once one of them does."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if "deciding for stream" in one.said + two.said:
            return "deciding" in one.said
        time.sleep(0.02)
    raise AssertionError(one.said + two.said)


async def test_what_one_run_refused_is_not_news_in_the_next(tmp_path, start_nats):
    server = start_nats()
    for n, code in ((1, 1), (2, 0)):
        with command(tmp_path, server.url) as one:
            one.until("deciding for 2 of 2 shards")
            async with outside(server, "odd") as other:
                actions = await other.connection.subscribe("live.odd.actions")
                await other.goals(n)
                # What is answered came after everything that came before.
                await actions.next_msg(timeout=30)
                if code == 1:
                    await other.connection.publish("live.odd.events", b"not json")
                    await other.connection.flush()
                    one.until("refused: live.odd.events:")
            assert one.interrupt()[0] == code, one.said
        assert one.said.count("refused: ") == code


async def test_a_command_outlives_its_heartbeats(tmp_path, start_nats, monkeypatch):
    monkeypatch.setenv("LIVE_CREW_HEARTBEAT_S", "1")
    server = start_nats()
    with command(tmp_path, server.url) as one:
        one.until("deciding for 2 of 2 shards")
        async with outside(server, "beats") as other:
            beats = await other.connection.subscribe("live.beats.heartbeats")
            actions = await other.connection.subscribe("live.beats.actions")
            # One of the two shards has no stream to tell of.
            for n in range(3):
                await other.goals(n)
                await actions.next_msg(timeout=30)
                await beats.next_msg(timeout=30)
        assert one.interrupt()[0] == 0


async def test_a_host_whose_output_cannot_be_written_ends_and_leaves_its_parts(
    tmp_path, start_nats
):
    server = start_nats()
    with command(tmp_path / "one", server.url, "-o", "/dev/full") as one:
        one.until("deciding for 2 of 2 shards")
        async with outside(server, "full") as other:
            await other.goals(1)
            assert await asyncio.to_thread(one.process.wait, 30) == 1
            assert "`/dev/full`: no space left on device" in one.said
            with command(tmp_path / "two", server.url) as two:
                two.until("deciding for 2 of 2 shards")
                actions = await other.connection.subscribe("live.full.actions")
                await other.goals(2)
                await actions.next_msg(timeout=30)


async def test_a_host_that_was_frozen_blames_nobody(tmp_path, start_nats, monkeypatch):
    monkeypatch.setenv("LIVE_CREW_HEARTBEAT_S", "1")
    server = start_nats()
    with command(tmp_path, server.url) as one:
        one.until("deciding for 2 of 2 shards")
        async with outside(server, "cold") as other:
            beats = await other.connection.subscribe("live.cold.heartbeats")
            errors = await other.connection.subscribe("live.cold.errors")
            await other.goals(1)
            await beats.next_msg(timeout=30)
            one.process.send_signal(signal.SIGSTOP)
            # Longer than three beats.
            await asyncio.sleep(4.5)
            one.process.send_signal(signal.SIGCONT)
            for _ in range(2):
                await beats.next_msg(timeout=30)
            assert errors.pending_msgs == 0
    assert "no heartbeat" not in one.said


@pytest.mark.parametrize("what", [b"STREAM.CREATE.LIVE_RUNS", b"STREAM.CREATE.KV_live_nodes"])
async def test_a_server_that_goes_away_while_a_host_begins_is_waited_for(start_nats, what):
    server = start_nats()
    proxy = await Proxy.start(server.url)
    caught = proxy.catch(what)
    made = host(proxy)
    place = made._settings.place("torn", waits=True)
    running = asyncio.ensure_future(made.run(place))
    try:
        await asyncio.wait_for(caught.wait(), 30)
        assert place.live_on is None
        proxy.hang_up()
        async with outside(server, "torn") as other:
            await ready(server)
            await other.goals(1)
            assert await other.actions(1) == [1]
        assert place.live_on == proxy.url
        await made.stop()
    finally:
        running.cancel()
        await proxy.close()


@pytest.mark.parametrize(
    ("config", "jetstream", "why"),
    [
        ('authorization { users = [{user: me, password: "hush"}] }', "", "who you are"),
        ("", None, "it has no JetStream"),
    ],
)
def test_a_server_that_will_never_do_is_told_at_once(tmp_path, start_nats, config, jetstream, why):
    server = start_nats(config, jetstream=jetstream)
    with command(tmp_path, server.url) as one:
        assert one.process.wait(30) == 1
    assert why in one.said
    assert "waiting" not in one.said


async def test_start_says_that_the_server_is_away(start_nats):
    server = start_nats()
    server.kill()
    made = host(server)
    with pytest.raises(TransportError, match=rf"{server.url}: nobody listens; start a server"):
        await made.start()
    again = await asyncio.to_thread(start, server.folder, port=server.port)
    try:
        await made.start()
        await made.publish({"kind": "goal", "stream_id": "begun", "payload": {"team": "a", "n": 1}})
        async with outside(again, "begun") as other:
            assert await other.actions(1) == [1]
        await made.stop()
    finally:
        again.kill()


async def test_a_session_that_waits_can_be_stopped(start_nats):
    server = start_nats()
    server.kill()
    made = host(server)
    place = made._settings.place("stopped", waits=True)
    running = asyncio.ensure_future(made.run(place))
    for _ in range(500):
        if waits := place.take_waits():
            break
        await asyncio.sleep(0.01)
    assert "nobody listens" in waits[0]
    result = await asyncio.wait_for(made.stop(), 2)
    assert result.ending == "drained"
    await running
    assert place.take_waits() == []


async def test_a_run_that_does_not_wait_fails_at_once(start_nats):
    server = start_nats()
    server.kill()
    async with live(host(server), "hasty") as running:
        with pytest.raises(TransportError, match="nobody listens"):
            await asyncio.wait_for(running, 5)
