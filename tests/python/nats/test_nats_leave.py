"""How hosts end, and what they find when they begin again."""

import signal

import pytest
from nats_command import command
from nats_hosts import outside

pytestmark = pytest.mark.timeout(120)


async def taken_in(other):
    """An event is in the journal: its stream is alive."""
    beats = await other.connection.subscribe(f"live.{other.stream}.heartbeats")
    await other.goals(1)
    await beats.next_msg(timeout=30)


async def test_a_second_interrupt_does_not_wait_for_a_server_that_is_away(
    tmp_path, start_nats, monkeypatch
):
    monkeypatch.setenv("LIVE_CREW_HEARTBEAT_S", "1")
    server = start_nats()
    with command(tmp_path, server.url) as one:
        one.until("deciding for 2 of 2 shards")
        async with outside(server, "left") as other:
            await taken_in(other)
        server.kill()
        one.until("lost NATS")
        one.process.send_signal(signal.SIGINT)
        one.until("finishing what is under way")
        _, took = one.interrupt()
    assert took < 20, one.said


async def test_events_that_the_server_lost_are_no_reason_to_pass_over_new_ones(
    tmp_path, start_nats, monkeypatch
):
    monkeypatch.setenv("LIVE_CREW_HEARTBEAT_S", "1")
    server = start_nats()
    async with outside(server, "lost") as other:
        with command(tmp_path, server.url) as one:
            one.until("deciding for 2 of 2 shards")
            await taken_in(other)
            assert one.interrupt()[0] == 0
        await other.connection.jetstream().delete_stream("LIVE_EVENTS")
    with command(tmp_path, server.url) as one:
        assert one.process.wait(60) == 1
    assert "error: stream `LIVE_EVENTS` ends at 0, and the journals have what was read" in one.said
    assert "nats stream purge LIVE_EVENTS --seq=2" in one.said
