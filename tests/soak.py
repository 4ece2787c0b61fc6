"""Crews and handlers under load, faults and kills for as long as you like; then everything is
counted.

    python tests/soak.py --seconds 1800 --rate 20 --seed 1

A publisher sends events with ids of its own at a steady rate. The orchestrator is a child process
over a journal in a file: in the first half of the time it is killed at random moments and started
again, and the publisher sends again what was not acknowledged. The models of its crews answer well,
late, never, too much, nothing, broken JSON or with errors, as a seeded die says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

STREAMS = ("north", "south", "west")
KINDS = ("tick",) * 16 + ("ask",) * 3 + ("note",)
# What the last quarter may need more than the second one.
RSS_GROWTH, THREAD_GROWTH, FD_GROWTH = 1.15, 8, 8


# -- the orchestrator, a child -----------------------------------------------------------------


class Sink:
    """Appends actions to a file, as a broker would: one that it has already it leaves out."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._known = {said["id"] for said in lines(path)}

    async def publish(self, action: Any) -> None:
        again = action.id in self._known
        self._known.add(action.id)
        said = {"id": action.id, "kind": action.kind, "payload": action.payload, "again": again}
        said |= {"causation_id": action.causation_id, "stream_id": action.stream_id}
        if len(str(action.payload)) > 1_000:
            said["payload"] = {"text": "(long)"}
        self._file.write(json.dumps(said).encode() + b"\n")


def answers(seed: str) -> Any:
    """What the models say, at random: most of the time something good."""
    from live_crew.testing import ProviderError, Reply, ToolCall

    rng, held = random.Random(seed), threading.Lock()
    said = {"kind": "said", "payload": {"word": "fine"}}
    good = {"actions": [said], "context": {"last": "fine"}}

    def answer(request: Any) -> Any:
        with held:
            die = rng.random()
        if request.tools and die < 0.15:
            # Once the tool has answered, so does the model.
            has_asked = any(one.get("role") == "tool" for one in request.messages)
            return good if has_asked else ToolCall(request.tools[0], {"word": "x"})
        faults = [
            (0.60, good),
            (0.68, Reply(good, delay=0.3)),
            (0.73, ValueError("the model broke")),
            (0.77, ProviderError(429, retry_after=0.05)),
            (0.80, ProviderError(500)),
            (0.84, Reply(good, delay=6)),
            (0.88, "flood " * 40_000),
            (0.91, ""),
            (0.95, '{"kind": "said", "payload": [1, '),
            (0.97, ConnectionError("the connection broke")),
        ]
        return next((said for below, said in faults if die < below), {"mood": "glad"})

    return answer


def orchestrator(home: Path, model: Any) -> Any:
    """Three crews, one of each kind, and three handlers."""
    from live_crew import Orchestrator, event_handler

    @event_handler("*")
    def clerk(event: Any, ctx: Any) -> Any:
        ctx.incr("seen")
        return {"kind": "ack", "payload": event.payload["number"]}

    @event_handler("ask")
    async def echo(event: Any, ctx: Any) -> Any:
        await asyncio.sleep(0.01)
        ctx.incr("asked")
        return {"kind": "echo", "payload": event.payload["number"]}

    @event_handler("note")
    def clumsy(event: Any) -> Any:
        if event.payload["number"] % 2:
            raise RuntimeError("clumsy by design")

    made = Orchestrator(
        slice_ms=200,
        journal={"path": str(home / "journal.db")},
        transport=Sink(home / "actions.jsonl"),
        dedupe_window_s=3_600,
        drain_grace_s=60,
        llm=model,
    )
    faulty = {"max_errors": 10, "cooldown_slices": 5}
    made.register_handler(clerk, max_backlog=100_000)
    made.register_handler(echo, max_backlog=100_000, timeout_ms=60_000)
    made.register_handler(clumsy, **faulty)
    made.register_crew(
        "critic",
        _critic,
        triggers=["ask"],
        timeout_ms=3_000,
        retry={"attempts": 2, "backoff_ms": 50},
        concurrency=2,
        **faulty,
    )
    made.register_crew(
        "digest",
        home / "digest",
        triggers=["tick"],
        batch="slice",
        slice_stride=10,
        backlog_policy="latest",
        timeout_ms=3_000,
        emits={"parse": "json"},
        **faulty,
    )
    made.register_crew(
        "mood",
        None,
        triggers=["note"],
        needs=[("critic", -1)],
        wait_policy="timeout:2000",
        user_template="How is {{ event.payload.number }}?",
        timeout_ms=3_000,
        **faulty,
    )
    return made


def _critic() -> Any:
    from crewai import Agent, Crew, Task
    from crewai.tools import BaseTool

    from live_crew.testing import ScriptedLLM

    class Look(BaseTool):
        name: str = "look"
        description: str = "looks something up, if it feels like it"

        def _run(self, word: str) -> str:
            if random.random() < 0.5:
                raise RuntimeError("the tool is broken")
            return word * 100

    agent = Agent(
        role="Critic", goal="judge", backstory="b", llm=ScriptedLLM("never"), tools=[Look()]
    )
    tasks = [
        Task(description=text, expected_output="a word", agent=agent)
        for text in ("Judge {event}.", "Then say it again, about {event}.")
    ]
    return Crew(agents=[agent], tasks=tasks)


async def child(home: Path, seed: str) -> None:
    """Publish what comes on standard input, until it ends."""
    from live_crew.testing import ScriptedLLM

    model = ScriptedLLM(default=answers(seed))
    made = orchestrator(home, model)
    await made.start()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    watching = asyncio.ensure_future(_watch(made, model, home))
    print("ready", flush=True)
    while line := await reader.readline():
        await made.publish(json.loads(line))
    watching.cancel()
    result = await made.stop()
    told = {"ending": result.ending, "failed": result.failed, "usage": result.usage}
    print(json.dumps({**told, "context": result.context}), flush=True)


async def _watch(made: Any, model: Any, home: Path) -> None:
    """Write down what the process needs, and what failed, twice a second."""
    seen: set[Any] = set()
    with (home / "stats.jsonl").open("a", buffering=1) as file:
        while True:
            new = [one for one in made.errors if one not in seen]
            seen.update(new)
            reasons = Counter(f"{one.crew}: {one.reason}" for one in new)
            said = {"pid": os.getpid(), "at": time.monotonic(), "errors": reasons, **footprint()}
            said["messages"] = {f"{one.crew}: {one.reason}": one.message[:100] for one in new}
            file.write(json.dumps(said) + "\n")
            # It keeps its calls, with all their texts.
            model.reset()
            await asyncio.sleep(0.5)


def footprint() -> dict[str, int]:
    """Memory, threads and descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return {
        "rss_kb": rss,
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
    }


# -- the publisher -----------------------------------------------------------------------------


class Publisher:
    """Sends events, kills who takes them, and sends again what was not acknowledged."""

    def __init__(self, home: Path, said: argparse.Namespace) -> None:
        self.home, self.rate, self.seconds, self.seed = home, said.rate, said.seconds, said.seed
        self.rng = random.Random(said.seed)
        self.number = self.restarts = self.offset = 0
        self.unacked: dict[int, bytes] = {}
        self.outgoing = b""
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ready = False
        self.sent: Counter[str] = Counter()

    def run(self) -> dict[str, Any]:
        """All of it; gives what the last child said at its end."""
        self._start()
        self._wait_ready()
        began = time.monotonic()
        kill_at = began + self._pause()
        while (now := time.monotonic()) < began + self.seconds:
            while self.number < (now - began) * self.rate:
                self._make()
            if kill_at < now < began + self.seconds * 0.5:
                self._kill()
                self._start()
                if self.rng.random() < 0.2:
                    # In the middle of its start.
                    time.sleep(self.rng.uniform(0, 2))
                    self._kill()
                    self._start()
                kill_at = time.monotonic() + self._pause()
            self._send()
            self._take_acks()
        return self._end()

    def _pause(self) -> float:
        return self.rng.uniform(0.05, 0.3) * min(self.seconds, 120)

    def _make(self) -> None:
        number, self.number = self.number, self.number + 1
        kind, stream = self.rng.choice(KINDS), STREAMS[number % len(STREAMS)]
        self.sent[stream] += 1
        event = {
            "id": f"e{number}",
            "ts": datetime.now(timezone.utc).isoformat(),
            "kind": kind,
            "stream_id": stream,
            "payload": {"number": number, "text": "x" * self.rng.randrange(200)},
        }
        line = json.dumps(event).encode() + b"\n"
        self.unacked[number] = line
        if self.is_ready:
            self.outgoing += line

    def _start(self) -> None:
        seed = f"{self.seed}-{self.restarts}"
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--child", self.home, "--seed", seed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.home / "stderr.txt").open("ab"),
        )
        os.set_blocking(self.process.stdin.fileno(), False)
        self.is_ready, self.outgoing = False, b""

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.restarts += 1

    def _wait_ready(self, seconds: float = 300) -> None:
        until = time.monotonic() + seconds
        while not self.is_ready:
            if time.monotonic() > until:
                raise TimeoutError("the orchestrator did not start")
            self._send()

    def _send(self) -> None:
        """Write as much as goes into the pipe, or see whether the child is ready."""
        out = self.process.stdout if not self.is_ready else None
        ready, free, _ = select.select(
            [out] if out else [], [self.process.stdin] if self.outgoing else [], [], 0.02
        )
        if ready:
            line = out.readline()
            if line != b"ready\n":
                tail = (self.home / "stderr.txt").read_text()[-3_000:]
                raise RuntimeError(f"the orchestrator ended by itself: {tail}")
            self.is_ready = True
            # Again, with their ids.
            self.outgoing = b"".join(self.unacked.values())
        elif free:
            written = os.write(self.process.stdin.fileno(), self.outgoing[: 2**16])
            self.outgoing = self.outgoing[written:]

    def _take_acks(self) -> None:
        path = self.home / "actions.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                said = json.loads(line)
                if said["kind"] == "ack":
                    self.unacked.pop(said["payload"], None)

    def _end(self) -> dict[str, Any]:
        """Wait until everything is acknowledged, then let the child end."""
        until = time.monotonic() + 120
        while (self.unacked or not self.is_ready) and time.monotonic() < until:
            self._send()
            self._take_acks()
        os.set_blocking(self.process.stdin.fileno(), True)
        self.process.stdin.close()
        last = self.process.stdout.read().splitlines()[-1:]
        code = self.process.wait(120)
        self._take_acks()
        if code or not last:
            raise RuntimeError(f"the orchestrator ended with {code}")
        return json.loads(last[0])


# -- the table ---------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines; a kill may have cut the last one of a process off."""
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def report(home: Path, publisher: Publisher, last: dict[str, Any]) -> bool:
    """Print what came of it; whether all is well."""
    from live_crew._core import Journal

    actions = lines(home / "actions.jsonl")
    stats = lines(home / "stats.jsonl")
    first_time = [one for one in actions if not one["again"]]
    acks = Counter(one["payload"] for one in first_time if one["kind"] == "ack")
    ids = Counter(one["id"] for one in first_time)
    by_crew = Counter(str(one["causation_id"]).split("/")[0] for one in first_time)
    reasons: Counter[str] = Counter()
    messages: dict[str, str] = {}
    for one in stats:
        reasons.update(one["errors"])
        messages |= one["messages"]
    lost = publisher.number - len(acks)
    doubled = sum(count - 1 for count in acks.values())
    same_ids = sum(count - 1 for count in ids.values())
    counted = {name: context.get("seen") for name, context in last["context"].items()}

    rows: list[tuple[str, str, bool]] = [
        ("events published", f"{publisher.number}", True),
        ("events processed", f"{len(acks)}", True),
        ("events lost", f"{lost}", not lost),
        ("events doubled", f"{doubled}", not doubled),
        ("counted in the contexts", f"{counted}", counted == dict(publisher.sent)),
        ("actions", f"{len(first_time)} {dict(by_crew)}", True),
        ("actions told again after a kill", f"{len(actions) - len(first_time)}", True),
        ("duplicate action ids", f"{same_ids}", not same_ids),
        ("streams that failed", f"{last['failed']}", not last["failed"]),
        ("restarts", f"{publisher.restarts}", True),
    ]
    for name, count in sorted(reasons.items()):
        rows.append((f"failed runs, {name}", f"{count}, such as: {messages[name]}", True))
    rows += list(flatness([one for one in stats if one["pid"] == publisher.process.pid]))
    journal = Journal.file(home / "journal.db")
    for stream in sorted(one["stream_id"] for one in journal.streams()):
        told = journal.verify(stream)
        is_same = told["divergence"] is None
        rows.append((f"replay verify {stream}", "ok" if is_same else f"{told}", is_same))
    noise = (home / "stderr.txt").read_text()
    rows.append(("printed to stderr", noise[-2_000:] or "nothing", not noise))
    for name, value, is_well in rows:
        print(f"{'' if is_well else '!!'} {name:<42} {value}")
    return all(is_well for *_, is_well in rows)


def flatness(stats: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """What the last process needed, from its start to its end."""
    if len(stats) < 8:
        return [("footprint", "too short to tell", True)]
    quarters = [stats[len(stats) * at // 4 : len(stats) * (at + 1) // 4] for at in range(4)]
    found = defaultdict(list)
    for name in ("rss_kb", "threads", "fds"):
        for quarter in quarters:
            found[name].append([one[name] for one in quarter])

    def at(name: str) -> str:
        places = [stats[len(stats) // 10], stats[len(stats) // 2], stats[-1]]
        return " / ".join(str(one[name]) for one in places)

    rss = [statistics.median(quarter) for quarter in found["rss_kb"]]
    growth = rss[3] / rss[1]
    threads, fds = ([max(quarter) for quarter in found[name]] for name in ("threads", "fds"))
    return [
        (
            "RSS in KB at 10 / 50 / 100 %",
            f"{at('rss_kb')}, {growth:.3f} times",
            growth <= RSS_GROWTH,
        ),
        ("threads", at("threads"), threads[3] <= threads[1] + THREAD_GROWTH),
        ("file descriptors", at("fds"), fds[3] <= fds[1] + FD_GROWTH),
    ]


def main() -> int:
    """The publisher, or its child."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=1_800)
    parser.add_argument("--rate", type=float, default=20, help="events a second")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--keep", type=Path, help="the folder for journal and logs")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        logging.getLogger("live_crew").addHandler(logging.NullHandler())
        asyncio.run(child(said.child, said.seed))
        return 0
    with tempfile.TemporaryDirectory() as made:
        home = said.keep or Path(made)
        (home / "digest").mkdir(parents=True)
        (home / "digest/agents.yaml").write_text("a: {role: Digester, goal: g, backstory: b}\n")
        (home / "digest/tasks.yaml").write_text(
            "t: {description: 'Sum up {events}', expected_output: e, agent: a}\n"
        )
        publisher = Publisher(home, said)
        try:
            last = publisher.run()
        finally:
            if publisher.process.poll() is None:
                publisher.process.kill()
        is_well = report(home, publisher, last)
    print("all is well" if is_well else "something is off", flush=True)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
