"""What the core warns of is in the log of the program."""

import asyncio
import logging

import pytest
from nats_hosts import host, live, outside, ready, score
from nats_parts import start

pytestmark = pytest.mark.timeout(120)


async def test_a_server_that_is_lost_is_logged_once(start_nats, caplog):
    caplog.set_level(logging.DEBUG, "live_crew")
    server = start_nats()
    made = host(server, score)
    async with live(made, "logged"):
        await ready(server)
        async with outside(server, "logged") as other:
            await other.goals(1)
            await other.actions(1)
        # A server of a test before may still be looked for.
        assert not any(server.url in text for _, _, text in _lines(caplog))
        server.kill()
        for _ in range(600):
            if any("leases cannot be seen" in text for _, _, text in _lines(caplog)):
                break
            await asyncio.sleep(0.05)
        again = await asyncio.to_thread(start, server.folder, port=server.port)
        try:
            async with outside(again, "logged") as other:
                await other.goals(2)
                await other.actions(2)
            await made.stop()
        finally:
            again.kill()
    lines = _lines(caplog)
    lost = ("live_crew.nats", "WARNING", f"lost NATS; trying again: servers {server.url}")
    assert lines.count(lost) == 1, lines
    # It is looked for them several times a second.
    seen = [text for name, _, text in lines if name == "live_crew.cluster" and "seen" in text]
    assert len(seen) == 1, lines


async def test_the_loss_of_one_server_does_not_hide_that_of_another(start_nats, caplog):
    servers = [start_nats(), start_nats()]
    one, other = (host(server, score) for server in servers)
    async with live(one, "one"), live(other, "other"):
        for server in servers:
            await ready(server)
        for server in servers:
            server.kill()
            lost = ("live_crew.nats", "WARNING", f"lost NATS; trying again: servers {server.url}")
            for _ in range(600):
                if lost in _lines(caplog):
                    break
                await asyncio.sleep(0.05)
            assert _lines(caplog).count(lost) == 1, _lines(caplog)
        for made, server in zip((one, other), servers, strict=True):
            again = await asyncio.to_thread(start, server.folder, port=server.port)
            await made.stop()
            again.kill()


def _lines(caplog):
    return [(one.name, one.levelname, one.getMessage()) for one in caplog.records]


async def test_a_report_of_one_server_has_no_secret(start_nats, caplog):
    server = start_nats(
        'authorization { users = [{user: me, password: "hush"}] }', version="2.11.1"
    )
    made = host(server, score, transport={"user": "me", "password": "hush"})
    running = asyncio.ensure_future(made.run(made._settings.place("old")))
    # A server of a test before may still be looked for, and that be logged.
    text = f"old NATS server: servers {server.url}, 2.11.1 has known security faults"
    for _ in range(600):
        if text in caplog.text:
            break
        await asyncio.sleep(0.05)
    await made.stop()
    await running
    (found,) = (line for line in _lines(caplog) if text in line[2])
    assert found[:2] == ("live_crew.nats", "WARNING")
    assert "hush" not in caplog.text
