"""Hosts and servers that are killed, frozen, cut off and misled while events flow.

    python tests/chaos --minutes 5 --seed 1 --replicas 3

Schedulers and runners are processes behind wires that can be cut; each is started again when it
ends. Servers are one, or a cluster of three that keep three copies. A foreign client publishes.
Prints each fault, then a table: what happened, what was done, and what should be 0.
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

from faults import faults
from judge import Verdict, judge
from publisher import Publisher
from world import World


async def main() -> int:
    """Run, and say whether all is well."""
    options = argparse.ArgumentParser(prog="chaos", description=__doc__.partition("\n")[0])
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--replicas", type=int, choices=[1, 3], default=1)
    options.add_argument("--rate", type=float, default=100, help="events a second")
    options.add_argument("--lateness-ms", type=int, default=20_000, help="as in a configuration")
    options.add_argument("--only", default="", help="faults to be chosen from: `kill host,latency`")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="live-crew-chaos-"))
    print(f"seed {given.seed}, {given.replicas} server(s), logs in {folder}", flush=True)
    world = World(folder, replicas=given.replicas, lateness_ms=given.lateness_ms)
    streams = {f"s{number}": "thing" for number in range(4)}
    streams |= {f"loose{number}": "loose" for number in range(2)}
    publisher = Publisher(world, streams, given.rate, random.Random(given.seed + 1))
    verdict = None
    try:
        await world.start_hosts(schedulers=2, runners=2)
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
    until = time.monotonic() + 60 * given.minutes
    sending = asyncio.ensure_future(publisher.run(until))
    begun: list[asyncio.Task[None]] = []

    async def happen() -> None:
        fault, lock = die.choice(choice)
        host = die.choice(world.hosts)
        async with lock or host.lock:
            name = fault.__name__.replace("_", " ")
            counted[name] += 1
            world.say(name if lock else f"{name}: {host.name}")
            await fault(world, random.Random(die.random()), host)

    while time.monotonic() < until - 3:
        await asyncio.sleep(die.uniform(1, 5))
        begun.append(asyncio.ensure_future(happen()))
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
