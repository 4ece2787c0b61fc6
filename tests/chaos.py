"""Hosts and servers that are killed, frozen and started again while events flow.

Prints each fault, then a table: what was sent, what was done of it, what was lost or done twice.
"""

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path.insert(0, str(HOME / "tests" / "python" / "nats"))

import nats
from nats_parts import Server, start

CREWS = """
import asyncio
from live_crew import event_handler

@event_handler("thing")
def count(event, ctx):
    ctx.incr("seen")
    return {"kind": "counted", "payload": event.payload}

@event_handler("thing")
async def echo(event):
    await asyncio.sleep(0.01)
    return {"kind": "echoed", "payload": event.payload}
"""
KINDS = ("counted", "echoed")


class Chaos:
    """One server, several hosts, a publisher, and what happens to them."""

    def __init__(self, folder: Path, *, hosts: int, streams: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.streams = [f"s{number}" for number in range(streams)]
        self.server: Server = start(folder / "server")
        self.faults: Counter[str] = Counter()
        self.began = time.monotonic()
        (folder / "crews.py").write_text(CREWS)
        (folder / "live_crew_config.yaml").write_text(
            f"slice_ms: 100\ntransport: {{kind: nats, url: '{self.server.url}', lease_s: 1, "
            "shards: 4}\nacceptance: off\n"
        )
        self.hosts = [self._host(number) for number in range(hosts)]

    def _host(self, number: int) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"host{number}.log").open("ab")
        command = [sys.executable, "-m", "live_crew", "run", "--handlers", "crews"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )

    def fault(self) -> None:
        """Do something to somebody."""
        number = self.random.randrange(len(self.hosts))
        what = self.random.choice(["kill host", "kill host", "freeze host", "kill server"])
        self.faults[what] += 1
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", flush=True)
        host = self.hosts[number]
        if what == "kill host":
            host.kill()
            host.wait()
            self.hosts[number] = self._host(number)
        elif what == "freeze host":
            # Longer than its lease: it wakes up as one that was deposed.
            host.send_signal(signal.SIGSTOP)
            time.sleep(self.random.uniform(1.0, 2.5))
            with suppress(ProcessLookupError):
                host.send_signal(signal.SIGCONT)
        else:
            self.server.kill()
            time.sleep(self.random.uniform(0.0, 1.0))
            self.server = start(self.server.folder, port=self.server.port)

    def end(self) -> None:
        """Let nothing behind."""
        for host in self.hosts:
            host.kill()
            host.wait()
        self.server.kill()


async def _is_expected(_: Exception) -> None:
    """The server is away: that is what this is about."""


async def publish(chaos: Chaos, rate: float, until: float) -> dict[str, int]:
    """Send events until a moment; each is sent again until the server has it."""
    sent = dict.fromkeys(chaos.streams, 0)
    connection = await nats.connect(
        chaos.server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_is_expected
    )
    stream = connection.jetstream(timeout=1)
    while time.monotonic() < until:
        tick = time.monotonic()
        for name in chaos.streams:
            number = sent[name]
            body = json.dumps({"kind": "thing", "payload": number}).encode()
            headers = {"Nats-Msg-Id": f"{name}-{number}"}
            while True:
                try:
                    await stream.publish(f"live.{name}.events", body, headers=headers)
                    break
                except (nats.errors.Error, TimeoutError, OSError):
                    await asyncio.sleep(0.1)
            sent[name] += 1
        await asyncio.sleep(max(0.0, len(chaos.streams) / rate - (time.monotonic() - tick)))
    await connection.close()
    return sent


async def done(chaos: Chaos, sent: dict[str, int], patience: float) -> tuple[Counter, Counter]:
    """How often each event was answered by each crew, and how often each action id is there."""
    connection = await nats.connect(chaos.server.url)
    answers: Counter[tuple[str, str, int]] = Counter()
    ids: Counter[str] = Counter()
    wanted = sum(sent.values()) * len(KINDS)
    subscription = await connection.jetstream().subscribe(
        "live.*.actions", ordered_consumer=True, pending_msgs_limit=-1
    )
    end = time.monotonic() + patience
    while len(answers) < wanted and time.monotonic() < end:
        with suppress(nats.errors.TimeoutError):
            message = await subscription.next_msg(timeout=1)
            action = json.loads(message.data)
            answers[(action["stream_id"], action["kind"], action["payload"])] += 1
            ids[action["id"]] += 1
    # What was done twice may still come.
    with suppress(nats.errors.TimeoutError):
        while True:
            action = json.loads((await subscription.next_msg(timeout=2)).data)
            answers[(action["stream_id"], action["kind"], action["payload"])] += 1
            ids[action["id"]] += 1
    await connection.close()
    return answers, ids


def verified(chaos: Chaos) -> list[str]:
    """The streams whose journal does not verify."""
    command = [sys.executable, "-m", "live_crew", "replay", "--json"]
    bad = []
    for name in chaos.streams:
        told = subprocess.run(
            [*command, "-s", name], cwd=chaos.folder, capture_output=True, check=False
        )
        if told.returncode != 0:
            bad.append(f"{name}: {told.stdout.decode()}{told.stderr.decode()}")
    return bad


async def main() -> int:
    """Run, and say whether all is well."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--rate", type=float, default=200)
    options.add_argument("--hosts", type=int, default=2)
    options.add_argument("--streams", type=int, default=6)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="live-crew-chaos-"))
    chaos = Chaos(folder, hosts=given.hosts, streams=given.streams, seed=given.seed)
    print(f"seed {given.seed}, logs in {folder}", flush=True)
    try:
        until = time.monotonic() + 60 * given.minutes
        sending = asyncio.ensure_future(publish(chaos, given.rate, until))
        while time.monotonic() < until - 3:
            await asyncio.sleep(chaos.random.uniform(2, 5))
            await asyncio.to_thread(chaos.fault)
        sent = await sending
        answers, ids = await done(chaos, sent, patience=60)
        bad = verified(chaos)
    finally:
        chaos.end()
    total = sum(sent.values())
    lost = total * len(KINDS) - len(answers)
    doubled = sum(count - 1 for count in answers.values())
    repeated = sum(count - 1 for count in ids.values())
    for what, count in sorted(chaos.faults.items()):
        print(f"{what:<24}{count:>8}")
    rows = {"events": total, "answers": len(answers), "lost": lost, "done twice": doubled}
    for what, count in {**rows, "ids seen twice": repeated, "journals damaged": len(bad)}.items():
        print(f"{what:<24}{count:>8}")
    for one in bad:
        print(one)
    is_well = not (lost or doubled or repeated or bad)
    print("all is well" if is_well else "something is wrong")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
