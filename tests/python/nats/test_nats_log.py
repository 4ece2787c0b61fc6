"""What the core warns of is in the log of the program."""

import asyncio

import pytest
from nats_command import command
from nats_hosts import host, live, ready, score
from nats_parts import start

pytestmark = pytest.mark.timeout(120)


async def test_a_server_that_is_lost_is_logged_once(tmp_path, start_nats):
    server = start_nats()
    # In a process of its own: what a test before was told of, nobody is told again for a minute.
    with command(tmp_path, server.url) as one:
        one.until("deciding for 2 of 2 shards")
        server.kill()
        one.until("leases cannot be seen")
        one.until("a lease cannot be written")
        again = start(server.folder, port=server.port)
        try:
            one.until("cannot be written(.|\n)*live on")
            assert one.interrupt()[0] == 0
        finally:
            again.kill()
    lines = one.said.splitlines()
    assert lines.count(f"lost NATS; trying again: servers {server.url}") == 1, lines
    # It is looked for them several times a second.
    leases = sorted(line for line in lines if "lease" in line and "cannot" in line)
    assert [line.partition(":")[0] for line in leases] == [
        "a lease cannot be written",
        "leases cannot be seen",
    ], lines
    assert all(line.endswith("check the server and the network") for line in leases), lines


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
