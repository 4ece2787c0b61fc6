"""Hosts and servers that are killed, frozen, cut off and misled while events flow.

    python tests/chaos --minutes 5 --seed 1 --replicas 3 --rate 1000

Schedulers and runners are processes behind wires that can be cut; each is started again when it
ends. Servers are one, or a cluster of three that keep three copies. A foreign client publishes;
some of its events are large, and some of what it sends is none. Prints each fault, then a table:
what happened, what was done (how many events a second there were, and how far behind hosts were at
the end), and what should be 0.

The rate, unless it is said, is one that two cores bear with a core built for development, and
programs that carry, send and judge beside it. With more than that hosts fall behind: faults meet
fewer of the events, and the table takes longer.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HOME = Path(__file__).parents[2]
sys.path.insert(0, str(HOME / "tests" / "python" / "nats"))

from faults import Fault, faults
from judge import Verdict, judge
from nats_hosts import ready
from publisher import Publisher
from world import Host, World, disk_for


async def main() -> int:
    """Run, and say whether all is well."""
    options = argparse.ArgumentParser(prog="chaos", description=__doc__.partition("\n")[0])
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--replicas", type=int, choices=[1, 3], default=1)
    options.add_argument("--rate", type=float, default=300, help="events a second")
    options.add_argument("--pairs", type=int, default=2, help="of a scheduler and a runner")
    options.add_argument("--lateness-ms", type=int, default=30_000, help="as in a configuration")
    options.add_argument("--only", default="", help="faults to be chosen from: `kill host,latency`")
    options.add_argument("--once", action="store_true", help="each fault once for each host")
    options.add_argument("--folder", type=Path, help="for logs; absent: a new one")
    given = options.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="live-crew-chaos-"))
    print(f"seed {given.seed}, {given.replicas} server(s), logs in {folder}", flush=True)
    world = World(
        folder,
        replicas=given.replicas,
        lateness_ms=given.lateness_ms,
        # Disks of their own, for some faults to fill.
        disk=0 if given.once else disk_for(int(60 * given.minutes * given.rate)),
    )
    streams = {f"s{number}": "thing" for number in range(4)}
    streams |= {f"loose{number}": "loose" for number in range(2)}
    publisher = Publisher(world, streams, given.rate, random.Random(given.seed + 1))
    verdict = None
    try:
        await world.start_hosts(given.pairs)
        await ready(world.servers)
        counted = await _chaos(world, publisher, given)
        verdict = await judge(world, publisher)
    finally:
        await world.end(keep=verdict is None or not verdict.is_well)
    _tell(counted, verdict)
    return 0 if verdict.is_well else 1


async def _chaos(world: World, publisher: Publisher, given: argparse.Namespace) -> "Counter[str]":
    """Let events flow and faults happen, several at a time but one for each host."""
    die, counted = random.Random(given.seed), Counter[str]()
    choice = [
        (fault, lock)
        for fault, lock in faults(world)
        if not given.only or fault.__name__.replace("_", " ") in given.only.split(",")
    ]
    assert choice, f"there is no fault `{given.only}`"
    watching = asyncio.ensure_future(world.watch())
    seconds = 60 * given.minutes
    until = time.monotonic() + seconds
    sending = asyncio.ensure_future(publisher.run(until))
    begun: list[asyncio.Task[None]] = []

    async def happen(fault: Fault, lock: asyncio.Lock | None, host: Host) -> None:
        async with lock or host.lock:
            name = fault.__name__.replace("_", " ")
            counted[name] += 1
            world.say(name if lock else f"{name}: {host.name}")
            await fault(world, random.Random(die.random()), host)

    if given.once:
        turns = [
            (fault, lock, host)
            for fault, lock in dict.fromkeys(choice)
            for host in world.hosts[: 1 if lock else None]
        ]
        die.shuffle(turns)
        for turn in turns:
            await asyncio.sleep(die.uniform(0.5, 1) * seconds / (len(turns) + 1))
            begun.append(asyncio.ensure_future(happen(*turn)))
    while not given.once and time.monotonic() < until - 3:
        await asyncio.sleep(die.uniform(1, 5))
        begun.append(asyncio.ensure_future(happen(*die.choice(choice), die.choice(world.hosts))))
    await asyncio.gather(*begun)
    world.thaw()
    await sending
    world.say(f"the last of {sum(publisher.sent.values())} events is sent")
    watching.add_done_callback(lambda done: done.cancelled() or done.result())
    return counted


def _tell(counted: "Counter[str]", verdict: Verdict) -> None:
    for what, count in sorted(counted.items()):
        print(f"{what:<24}{count:>8}")
    for rows in (verdict.told, verdict.faults):
        print("-" * 32)
        for what, count in rows.items():
            print(f"{what:<24}{count:>8}")
    for one in verdict.details:
        print(one)
    print("all is well" if verdict.is_well else "something is wrong")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
