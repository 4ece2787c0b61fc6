"""What may go wrong. Each fault is a function; its name with spaces is what it is called."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from world import Host, World

import nats

Fault = Callable[[World, random.Random, Host], Awaitable[None]]


async def kill_host(world: World, die: random.Random, host: Host) -> None:
    """`kill -9`; it comes back with a clock that is right, whatever it was."""
    host.kill()
    host.clock_off_s = 0
    await asyncio.sleep(die.uniform(0, 1))
    host.start()


async def freeze_host(world: World, die: random.Random, host: Host) -> None:
    """Longer than its lease: it wakes up as one that was deposed."""
    host.signal(signal.SIGSTOP)
    await asyncio.sleep(die.uniform(1, 4))
    host.signal(signal.SIGCONT)


async def wrong_clock(world: World, die: random.Random, host: Host) -> None:
    """It comes back with a date that is an hour off."""
    host.kill()
    host.clock_off_s = die.choice([-3_600, 3_600])
    world.say(f"  {host.name} is {host.clock_off_s} s off")
    host.start()


async def cut_network(world: World, die: random.Random, host: Host) -> None:
    """Connections break, and new ones break at once."""
    for proxy in host.proxies:
        proxy.cut()
    await asyncio.sleep(die.uniform(1, 5))
    for proxy in host.proxies:
        proxy.mend()


async def half_open(world: World, die: random.Random, host: Host) -> None:
    """Connections stay and carry nothing. Some are reset at the end, others never."""
    for proxy in host.proxies:
        proxy.go_dead()
    await asyncio.sleep(die.uniform(2, 8))
    is_reset = die.random() < 0.5
    for proxy in host.proxies:
        proxy.mend()
        if is_reset:
            proxy.hang_up()


async def latency(world: World, die: random.Random, host: Host) -> None:
    """Everything takes up to ten seconds, each way."""
    delay_s = die.choice([0.3, 2.0, 10.0])
    world.say(f"  {host.name} hears everything {delay_s} s late")
    for proxy in host.proxies:
        proxy.delay_s = delay_s
    await asyncio.sleep(die.uniform(3, 12))
    for proxy in host.proxies:
        proxy.mend()


async def runs_again(world: World, die: random.Random, host: Host) -> None:
    """Runs are fetched by one that never answers, and come again; others are sent twice."""
    connection = await nats.connect(world.servers.urls, error_cb=_ignore)
    try:
        stream = connection.jetstream(timeout=2)
        stolen = await stream.pull_subscribe_bind("run-echo", stream="LIVE_RUNS")
        for message in await stolen.fetch(5, timeout=2):
            await stream.publish(message.subject, message.data, headers=_unsaid(message.headers))
            if die.random() < 0.5:
                await message.nak()
    except (nats.errors.Error, OSError):
        pass  # There was nothing to take, or no server.
    finally:
        await connection.close()


async def kill_server(world: World, die: random.Random, host: Host) -> None:
    """`kill -9`, in the middle of whatever is being written."""
    await _away(world, [die.randrange(world.replicas)], die.uniform(0, 3))


async def kill_leader(world: World, die: random.Random, host: Host) -> None:
    """The server that leads what is written to."""
    leader = await asyncio.to_thread(world.servers.leader, "LIVE_LOG")
    await _away(world, [0 if leader is None else leader], die.uniform(0, 6))


async def restart_all(world: World, die: random.Random, host: Host) -> None:
    """Every server at once."""
    await _away(world, list(range(world.replicas)), die.uniform(0, 2))


async def full_disk(world: World, die: random.Random, host: Host) -> None:
    """No room on the disk of a server, for a while. Servers want to be started again after it."""
    node = die.randrange(world.replicas)
    disk = world.disks[node]
    await asyncio.to_thread(_fill, disk / "filler")
    await asyncio.sleep(die.uniform(2, 5))
    (disk / "filler").unlink()
    await _away(world, [node], 0.0)


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 16))


async def _away(world: World, nodes: list[int], seconds: float) -> None:
    for node in nodes:
        world.servers.servers[node].kill()
    await asyncio.sleep(seconds)
    # All at once: a server of a cluster is ready when it sees another.
    await asyncio.gather(*(asyncio.to_thread(world.servers.revive, node) for node in nodes))
    await asyncio.to_thread(world.servers.wait)


def _unsaid(headers: "dict[str, str] | None") -> dict[str, str]:
    """Without what would make it a duplicate for the server."""
    kept = (headers or {}).items()
    return {name: value for name, value in kept if name != "Nats-Msg-Id"}


async def _ignore(_: Exception) -> None:
    """Servers are away: that is what this is about."""


_HOSTS = (kill_host, kill_host, freeze_host, wrong_clock, cut_network, half_open, latency)
_SERVERS = {1: (kill_server,), 3: (kill_server, kill_leader, restart_all)}


def faults(world: World) -> list[tuple[Fault, asyncio.Lock | None]]:
    """The faults there are, as often as they are to be; those of servers with their lock."""
    found: list[tuple[Fault, asyncio.Lock | None]] = [(one, None) for one in _HOSTS]
    found.append((runs_again, asyncio.Lock()))
    found += [(one, world.server_lock) for one in _SERVERS[world.replicas]]
    if world.disks:
        found.append((full_disk, world.server_lock))
    return found
