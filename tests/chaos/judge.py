"""Whether all is well after it: nothing lost, nothing done twice, and the same as without faults.

How far a live run can be compared with one that nothing happened to. What a slice does is decided
by the events in it, and by when its runs land. Events have the time at which the server stored
them, so the same slices can be made of them once more, unless an event was late: then the live run
had to put it into a later slice. A slice waits for the runs of crews with `timing: sync`, so they
land where they started, as they do in a run in virtual time. So for streams whose crews are all of
that sort the digests of all slices have to be equal, byte for byte, up to the slice in which a late
event is missing; hosts are given enough lateness for this to be rare. The other run reads the
events, not the journal, and knows nothing of what happened.

Crews with `timing: async` land in the slice that is open when they answer, and when that was is in
the journal alone. There the journal is folded again and every digest compared (`verify`), as for
all streams, and every run is made again with what it was given then (`reexecute`): together these
are a run in memory that is told when answers came.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from crews import ANSWERS, count, echo
from publisher import LARGE_BYTES, REFUSED, Publisher
from world import World

import nats
from live_crew import Event, Orchestrator, slice_index
from live_crew._core import Journal
from live_crew.config import load_config, make_config
from live_crew.settings import Settings

_SLICE_MS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Without one more answer for so long there will be none.
_PATIENCE_S = 90
# What a host says of a journal, however long it is.
_COMMAND_S = 900

Answer = tuple[str, str, int]


@dataclass
class Verdict:
    """Numbers, of which those of `faults` should be 0, and what is behind them."""

    told: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.faults.values())


async def judge(world: World, publisher: Publisher) -> Verdict:
    """Wait until everything is done, and look at all of it."""
    verdict = Verdict()
    wanted = {
        (name, kind, number)
        for name, sent in publisher.sent.items()
        for kind in ANSWERS[publisher.streams[name]]
        for number in range(sent)
    }
    actions, answered = await _actions(world, wanted)
    answers = Counter(_answer(one) for one in actions)
    ids = Counter(one["id"] for one in actions)
    lost = sorted(wanted - set(answers))
    doubled = sorted(one for one, times in answers.items() if times > 1)
    events = sum(publisher.sent.values())
    verdict.told = {
        "events": events,
        "sent a second": round(events / publisher.seconds),
        # Slices stay open for late events; what is beyond that is hosts that do not keep up.
        "seconds behind": max(0, round(answered - publisher.ended - world.lateness_ms / 1_000)),
        "events sent again": publisher.repeated,
        "answers": len(answers),
        "hosts that ended": len(world.ended),
    }
    verdict.faults = {
        "lost": len(lost),
        "done twice": sum(answers.values()) - len(answers),
        "unasked for": len(set(answers) - wanted),
        "ids seen twice": sum(ids.values()) - len(ids),
    }
    for what, some in (("lost", lost), ("done twice", doubled)):
        if some:
            verdict.details.append(f"{what}: {some[:5]} … {some[-1]}")
    stored = await _stored(world, "LIVE_EVENTS", "p.*.live.*.events")
    verdict.told["large events"] = sum(len(one.data) > LARGE_BYTES for one in stored)
    await _reports(world, verdict)
    await _refusals(world, stored, verdict)
    journals = await _verified(world, verdict)
    await _again(world, publisher, verdict)
    events: dict[str, list[Event[Any]]] = defaultdict(list)
    for one in stored:
        name = one.subject.split(".")[3]
        if publisher.streams[name] == "thing" and not _is_refused(one):
            events[name].append(_event(name, one))
    await _compared(world, events, _Live(journals, actions), verdict)
    return verdict


def _answer(action: Any) -> Answer:
    return action["stream_id"], action["kind"], action["payload"]["n"]


async def _actions(world: World, wanted: set[Answer]) -> tuple[list[Any], float]:
    """Every action there is, once all that are wanted are there or no more come, and since when."""
    connection = await nats.connect(world.servers.urls, error_cb=_is_known)
    subscription = await connection.jetstream().subscribe(
        "live.*.actions", ordered_consumer=True, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    actions, missing, last = [], set(wanted), time.monotonic()
    # What was done twice may still come when everything is there.
    while time.monotonic() - last < (_PATIENCE_S if missing else 2):
        try:
            message = await subscription.next_msg(timeout=1)
        except nats.errors.TimeoutError:
            continue
        actions.append(json.loads(message.data))
        missing.discard(_answer(actions[-1]))
        last = time.monotonic()
    await connection.close()
    return actions, last


async def _stored(world: World, stream: str, subject: str) -> list[Any]:
    """Every message of a JetStream stream, in order."""
    connection = await nats.connect(world.servers.urls, error_cb=_is_known)
    found = []
    subscription = await connection.jetstream().subscribe(
        subject, stream=stream, ordered_consumer=True, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    info = await subscription.consumer_info()
    count = info.num_pending + info.delivered.consumer_seq
    while len(found) < count:
        found.append(await subscription.next_msg(timeout=10))
    await connection.close()
    return found


async def _reports(world: World, verdict: Verdict) -> None:
    """What failed, and input that was refused: there should be none."""
    failed = [
        one.data.decode()
        for one in await _stored(world, "LIVE_REPORTS", "live.*.errors")
        # A stream without a host for a while is what this is about.
        if json.loads(one.data)["payload"].get("reason") != "silent"
    ]
    verdict.faults["failed runs"] = len(failed)
    verdict.details += [f"report: {one[:300]}" for one in failed[:3]]


async def _refusals(world: World, events: list[Any], verdict: Verdict) -> None:
    """What is no event has a dead letter, and nothing else has one."""
    wanted = {_sequence(one) for one in events if _is_refused(one)}
    letters = Counter[int]()
    for one in await _stored(world, "LIVE_DLQ", "live.*.dlq"):
        letter = json.loads(one.data)
        letters[letter["cursor"]] += 1
        if letter["cursor"] not in wanted and letters[letter["cursor"]] == 1:
            verdict.details.append(f"refused: {one.data.decode()[:300]}")
    verdict.told["refused"] = len(wanted)
    # By a host that was killed before it could write down that it was done with them.
    verdict.told["refused again"] = sum(letters.values()) - len(letters)
    verdict.faults |= {
        "not refused": len(wanted - set(letters)),
        "refused unduly": len(set(letters) - wanted),
    }


def _is_refused(message: Any) -> bool:
    return bool(message.headers["Nats-Msg-Id"].startswith(REFUSED))


def _sequence(message: Any) -> int:
    return int(message.reply.split(".")[5])


async def _command(world: World, *args: str) -> tuple[int, str]:
    """What `live-crew` says."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "live_crew", *args),
        cwd=world.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _COMMAND_S)
    except asyncio.TimeoutError:
        process.kill()
        await process.wait()
        return -1, f"it took more than {_COMMAND_S} s"
    world.say(f"live-crew {' '.join(args)}: {time.monotonic() - began:.1f} s")
    return process.returncode or 0, out.decode() or err.decode()


async def _verified(world: World, verdict: Verdict) -> dict[str, dict[int, str]]:
    """The digests of each stream by slice; journals that do not verify are noted."""
    code, said = await _command(world, "replay", "--json")
    verdict.faults["journals damaged"] = int(code != 0)
    if code:
        verdict.details.append(f"verify: {said[:600]}")
    if not said.startswith("{"):
        return {}
    streams = json.loads(said)["streams"]
    verdict.faults["journals damaged"] = sum(one["divergence"] is not None for one in streams)
    verdict.told["slices committed"] = sum(one["commits"] for one in streams)
    return {
        one["stream_id"]: {each["slice"]: each["digest"] for each in one["digests"]}
        for one in streams
    }


async def _again(world: World, publisher: Publisher, verdict: Verdict) -> None:
    """Runs of crews whose time of landing is in the journal alone, made again."""
    verdict.faults["runs that differ"] = 0
    loose = [name for name, kind in publisher.streams.items() if kind == "loose"]
    command = ("replay", "--mode", "reexecute", "--json", "--handlers", "crews", "-s")
    said = await asyncio.gather(*(_command(world, *command, name) for name in loose))
    for name, (code, told) in zip(loose, said, strict=True):
        if code:
            verdict.faults["runs that differ"] += 1
            verdict.details.append(f"{name}: {told[:600]}")
        else:
            made = verdict.told.setdefault("runs made again", 0)
            verdict.told["runs made again"] = made + json.loads(told)["runs"]


async def _compared(
    world: World, events: dict[str, list[Event[Any]]], live: "_Live", verdict: Verdict
) -> None:
    """Digests of streams, and of a run of the same events in one process without faults."""
    unbroken, actions = await _unbroken(world, [one for some in events.values() for one in some])
    journal = Settings(load_config(world.folder / "live_crew_config.yaml")).open_journal()
    verdict.told |= {"streams compared": len(events), "of these to their end": 0}
    verdict.told |= {"slices compared": 0}
    verdict.faults |= {"digests that differ": 0, "actions that differ": 0}
    for name, sent in events.items():
        end = live.first_late(name, sent)
        chains = (live.digests.get(name, {}), dict(unbroken.digests(name)))
        one, other = (_before(chain, end) for chain in chains)
        verdict.told["of these to their end"] += end is None
        verdict.told["slices compared"] += len(one)
        if end is None:
            said = {one["id"]: one for one in live.actions if one["stream_id"] == name}
            wanted = {one["id"]: one for one in actions.values() if one["stream_id"] == name}
            differing = [id_ for id_ in {**said, **wanted} if said.get(id_) != wanted.get(id_)]
            verdict.faults["actions that differ"] += len(differing)
            verdict.details += [
                f"{said.get(id_)} is not {wanted.get(id_)}" for id_ in differing[:2]
            ]
        if one != other:
            slices = sorted(at for at in {**one, **other} if one.get(at) != other.get(at))
            verdict.faults["digests that differ"] += 1
            why = f"{name} differs from a run without faults in slice {slices[0]}"
            verdict.details.append(f"{why} and {len(slices) - 1} others of {len(other)}")
            part = await asyncio.to_thread(journal.difference, unbroken, name)
            verdict.details.append(f"  {part}"[:2_000])


async def _is_known(_: Exception) -> None:
    """The client says what it also raises."""


@dataclass
class _Live:
    """What is there of the live run: digests by stream and slice, and actions."""

    digests: dict[str, dict[int, str]]
    actions: list[Any]

    def first_late(self, name: str, events: list[Event[Any]]) -> int | None:
        """The first slice that an event came too late for, if there is one."""
        epoch = min(one.ts for one in events)
        own = {one.payload["n"]: slice_index(one, epoch, _SLICE_MS) for one in events}
        late = []
        for action in self.actions:
            if action["stream_id"] == name and action["kind"] == "counted":
                # `count/268.0`: the slice in which the event was seen, and its place there.
                seen = int(action["causation_id"].partition("/")[2].partition(".")[0])
                due = own[action["payload"]["n"]]
                late += [due] if seen > due else []
        return min(late, default=None)


def _before(chain: dict[int, str], end: int | None) -> dict[int, str]:
    return {at: digest for at, digest in chain.items() if end is None or at < end}


def _event(name: str, message: Any) -> Event[Any]:
    """An event as a host reads it: what it does not say itself comes with its message."""
    body = json.loads(message.data)
    # The client's own date of a message is rounded; the server says nanoseconds.
    micros = int(message.reply.split(".")[7]) // 1_000
    return Event(
        ts=_EPOCH + timedelta(microseconds=micros),
        kind=body["kind"],
        stream_id=name,
        payload=body["payload"],
        id=message.headers["Nats-Msg-Id"],
    )


async def _unbroken(world: World, events: list[Event[Any]]) -> tuple[Journal, dict[str, Any]]:
    journal: Path = world.folder / "unbroken.db"
    config = make_config(slice_ms=_SLICE_MS, journal={"path": str(journal)})
    orchestrator = Orchestrator(config=config)
    for handler in (count, echo):
        orchestrator.register_handler(handler)
    actions = world.folder / "unbroken.jsonl"
    result = await orchestrator.run(events, actions=actions)
    assert result.ok, result.errors[:3]
    said = [json.loads(line) for line in actions.read_text().splitlines()]
    return orchestrator.journal, {one["id"]: one for one in said}
