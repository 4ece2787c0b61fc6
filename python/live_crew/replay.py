"""Recorded attempts, run again with what they were given then, and compared."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from live_crew._core import Attempt, Journal, Plan
from live_crew._workers import Workers
from live_crew.crews.serving import Mismatch, Serving
from live_crew.crews.tape import RunKey, Tape
from live_crew.errors import HandlerExit, JournalError, LiveCrewError
from live_crew.handlers import Handler

if TYPE_CHECKING:
    from live_crew.participants import Participant

__all__ = ["Difference", "Replay", "ReplayMode", "ReplayResult", "ReplayedRun"]

ReplayMode = Literal["reexecute", "live"]

# Attempts under way at a time.
_AT_ONCE = 8
_REDACTED = "an answer it was served lacks a secret, which is never recorded"


@dataclass(frozen=True)
class Difference:
    """One thing that was another one then.

    `what` is `outcome` for what became of the run, or `request`, `missing` and `left over` for
    what it asked models and tools.
    """

    what: str
    field: str
    recorded: Any = None
    now: Any = None


@dataclass(frozen=True)
class ReplayedRun:
    """An attempt, and how it differs."""

    stream_id: str
    slice: int
    crew: str
    run: str
    attempt: int
    differences: tuple[Difference, ...]
    hint: str | None = None


@dataclass(frozen=True)
class ReplayResult:
    """What became of all attempts."""

    mode: ReplayMode
    runs: tuple[ReplayedRun, ...]
    # How many attempts of crews that are no more were not run again, by crew.
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def differing(self) -> tuple[ReplayedRun, ...]:
        """The attempts that differ, in the order of the journal."""
        return tuple(run for run in self.runs if run.differences)

    @property
    def ok(self) -> bool:
        """Whether everything is as it was."""
        return not self.differing

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON; of runs those that differ."""
        return {
            "mode": self.mode,
            "ok": self.ok,
            "runs": len(self.runs),
            "left_out": dict(self.left_out),
            "differing": [asdict(run) for run in self.differing],
        }


class Replay:
    """Runs attempts of a journal again. Nothing is published, nothing is written."""

    def __init__(
        self,
        participants: Mapping[str, Participant],
        plan: Plan,
        mode: ReplayMode,
        recorded: tuple[Journal, Tape],
    ) -> None:
        if mode not in ("reexecute", "live"):
            raise LiveCrewError(f"`{mode}` is no mode of a replay; use `reexecute` or `live`")
        self._participants = participants
        self._plan = plan
        self._mode: ReplayMode = mode
        self._journal, self._tape = recorded
        self._serving = Serving(self._tape) if mode == "reexecute" else None

    async def run(
        self, stream_id: str | None, first: int | None, last: int | None, crew: str | None
    ) -> ReplayResult:
        """Run the attempts of a stream, or of all; of a crew, or of all."""
        workers = Workers()
        gate = asyncio.Semaphore(_AT_ONCE)
        members = [p.member(self._plan.pace, workers) for p in self._participants.values()]
        try:
            streams = [one["stream_id"] for one in self._journal.streams()]
            found: list[Attempt] = []
            left_out: Counter[str] = Counter()
            for name in streams if stream_id is None else [stream_id]:
                held = await asyncio.to_thread(
                    self._journal.attempts, name, self._plan, members, first=first, last=last
                )
                found += [attempt for attempt in held if crew in (None, attempt.crew)]
                if crew is None:
                    left_out += await asyncio.to_thread(self._left_out, name, first, last)
            self._check(found)
            runs = await asyncio.gather(*(self._one(attempt, gate) for attempt in found))
        finally:
            workers.close()
            self._tape.close()
        return ReplayResult(self._mode, tuple(runs), left_out)

    def _left_out(self, stream: str, first: int | None, last: int | None) -> Counter[str]:
        """The attempts of crews that were renamed or removed: there is nothing to run."""
        counted: Counter[str] = Counter()
        for run in self._journal.timeline(stream):
            started = run["started"]
            if run["crew"] in self._participants or started is None:
                continue
            if (first is None or first <= started) and (last is None or started <= last):
                counted[run["crew"]] += run["attempts"]
        return counted

    def _check(self, found: list[Attempt]) -> None:
        """Without traffic every crew would differ, which says nothing."""
        crews = {one.crew for one in found if self._participants[one.crew].crew is not None}
        if crews and self._serving is not None and not self._tape.is_there:
            where = f" `{self._tape.path}`" if self._tape.path else ""
            raise JournalError(
                f"there is no recorded traffic{where}, from which crews are answered; it is kept "
                "beside a journal unless `journal: {traffic: false}`"
            )

    async def _one(self, attempt: Attempt, gate: asyncio.Semaphore) -> ReplayedRun:
        async with gate:
            try:
                answer = await self._answer(attempt)
            except SystemExit as error:
                told = attempt.compare_failure(HandlerExit(error.code))
            except Exception as error:  # noqa: BLE001 (it is compared with what was raised then)
                told = attempt.compare_failure(error)
            else:
                told = attempt.compare(answer)
        key = RunKey.of(attempt)
        asked: list[Mismatch] = []
        if self._serving is not None:
            asked = await asyncio.to_thread(self._serving.mismatches, key)
        differences = [Difference(one.what, one.field, one.recorded, one.now) for one in asked]
        if told is not None:
            differences.append(Difference("outcome", **told))
        is_redacted = self._serving is not None and self._serving.is_redacted(key)
        return ReplayedRun(
            *(attempt.stream_id, attempt.slice, attempt.crew, attempt.run, attempt.attempt),
            differences=tuple(differences),
            hint=_REDACTED if differences and is_redacted else None,
        )

    async def _answer(self, attempt: Attempt) -> Any:
        participant = self._participants[attempt.crew]
        does = participant.does
        if not isinstance(does, Handler):
            answer = does.again(attempt, self._serving)
            # What is served takes no time worth a deadline.
            seconds = (participant.runtime.timeout_ms or 0) / 1_000 or None
            return await asyncio.wait_for(answer, None if self._serving else seconds)
        args = (attempt.event, attempt.ctx) if does.takes_context else (attempt.event,)
        if does.is_async:
            return await does.function(*args)
        answer = await asyncio.to_thread(does.function, *args)
        return await answer if inspect.isawaitable(answer) else answer
