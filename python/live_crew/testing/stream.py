"""`TestStream`: events at instants of virtual time, crashes between them, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from live_crew._script import run_to_end
from live_crew.errors import LiveCrewError, MultiCrewError
from live_crew.models import Event
from live_crew.orchestrator import Orchestrator
from live_crew.result import Actions, Refusal, RunResult
from live_crew.testing._arrivals import CRASH, Arrival, Arrivals, Mark, ProcessDiedError, chapters
from live_crew.testing.timeline import Witness, timeline_of

if TYPE_CHECKING:
    from live_crew.run import LiveRun

__all__ = ["Moment", "StreamResult", "TestStream"]

Length = int | float | str | timedelta

_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(us|ms|s|m|h)")


@dataclass
class StreamResult(RunResult):
    """What a `TestStream` gave: a `RunResult` that knows its timeline."""

    orchestrator: Orchestrator = field(repr=False, compare=False, kw_only=True)
    witness: Witness = field(repr=False, compare=False, kw_only=True)

    @cached_property
    def timeline(self) -> str:
        """What happened, a line for each run; `assert_timeline` takes it back."""
        return timeline_of(self.orchestrator, self, self.witness)


@dataclass(frozen=True)
class Moment:
    """An instant of a stream, at which events happen."""

    stream: TestStream
    ts: datetime
    is_late: bool = False

    def event(
        self,
        kind: str,
        payload: object = None,
        *,
        stream_id: str | None = None,
        **identities: str,
    ) -> Moment:
        """Let an event happen; `id`, `correlation_id` and `transaction_id` may be given."""
        stream_id = stream_id or self.stream.stream_id
        event = {"ts": self.ts, "kind": kind, "stream_id": stream_id, "payload": payload}
        made = Event.model_validate({**event, **identities})
        self.stream.marks.append(Arrival(made, self.is_late))
        return self


class TestStream:
    """Events for crews in virtual time: no sleeps, no clock, the same every time.

    Times are milliseconds since the epoch of the stream, where slice 0 begins, or texts such as
    `"0.5s"` and `"1h"`. Events arrive in the order they are written in. Keywords are those of
    `Orchestrator`; a slice closes as soon as an event of a later one arrives (`lateness_ms` 0).
    """

    __test__ = False

    def __init__(
        self,
        *handlers: Any,
        orchestrator: Orchestrator | None = None,
        stream_id: str = "test",
        **settings: Any,
    ) -> None:
        if orchestrator is None:
            orchestrator = Orchestrator(**{"lateness_ms": 0, "epoch": _EPOCH, **settings})
        elif settings:
            names = ", ".join(f"`{name}`" for name in settings)
            raise LiveCrewError(
                f"{names}: give settings to the orchestrator, which is made already"
            )
        for handler in handlers:
            orchestrator.register_handler(handler)
        self.orchestrator = orchestrator
        self.stream_id = stream_id
        self.marks: list[Mark] = []
        self.result: StreamResult | None = None

    def at(self, when: Length) -> Moment:
        """The instant at which the next events happen, counted from the epoch."""
        return Moment(self, _after(_EPOCH, when))

    def late(self, when: Length) -> Moment:
        """An instant whose slice has closed when its events arrive; it is checked that it has."""
        return Moment(self, _after(_EPOCH, when), is_late=True)

    def gap(self, length: Length) -> Moment:
        """The instant after so much silence, counted from the latest event."""
        arrivals = (mark.event.ts for mark in self.marks if isinstance(mark, Arrival))
        return Moment(self, _after(max(arrivals, default=_EPOCH), length))

    def crash(self) -> TestStream:
        """Let the process die once it has taken in the events so far.

        Another one goes on from the journal. What it gives must be what one process would have
        given: actions published again are the same, with the same `id`, and counted once.
        """
        self.marks.append(CRASH)
        return self

    def run(self) -> StreamResult:
        """Let it all happen."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run_to_end(self.run_async())
        raise LiveCrewError("an event loop runs here; use `await stream.run_async()`")

    async def run_async(self) -> StreamResult:
        """`run`, in an async test."""
        witness = Witness()
        said = _Said()
        for arrivals in chapters(self.marks):
            await self._live(arrivals, witness, said)
        self.result = said.result(self.orchestrator, witness)
        self._check_late(self.result.counters["late"])
        return self.result

    async def _live(self, arrivals: Arrivals, witness: Witness, said: _Said) -> None:
        """One life of the process."""
        await self.orchestrator.load()
        run = self.orchestrator._begin(arrivals, watch=witness.saw)  # noqa: SLF001
        try:
            said.last = await self.orchestrator._end(run, run.result())  # noqa: SLF001
        except ProcessDiedError:
            pass
        finally:
            said.add(run)

    def _check_late(self, late: int) -> None:
        written = sum(mark.is_late for mark in self.marks if isinstance(mark, Arrival))
        if late < written:
            raise LiveCrewError(
                f"{written} events are written as `late`, {late} were: the others came before "
                "their slice closed; let an event of a later slice come first (`lateness_ms`?)"
            )
        if late > written:
            raise LiveCrewError(
                f"{late} events arrived after their slice had closed, {written} are written as "
                "`late`; write `stream.late(…)` where you mean it, or put the events in order"
            )


class _Said:
    """What several lives of a process said together, each thing once."""

    def __init__(self) -> None:
        self._actions: dict[str, bytes] = {}
        self._errors: dict[MultiCrewError, None] = {}
        self._refused: list[Refusal] = []
        self.last: RunResult | None = None

    def add(self, run: LiveRun) -> None:
        actions, errors, refused = run.so_far()
        for body in actions:
            self._actions.setdefault(json.loads(body)["id"], body)
        self._errors.update(dict.fromkeys(errors))
        self._refused += refused

    def result(self, orchestrator: Orchestrator, witness: Witness) -> StreamResult:
        if self.last is None:
            raise LiveCrewError("the last process of the stream died too")
        given = {one.name: getattr(self.last, one.name) for one in fields(RunResult)}
        bodies = list(self._actions.values())
        counted = {"errors": len(self._errors), "refused": len(self._refused)}
        given["actions"] = Actions(bodies)
        given["actions_published"] = len(bodies)
        given["errors"] = list(self._errors)
        given["refused"] = self._refused
        given["counters"] = {**self.last.counters, **counted}
        return StreamResult(**given, orchestrator=orchestrator, witness=witness)


def _after(begin: datetime, length: Length) -> datetime:
    """The instant that is so much later."""
    try:
        lasts = _length(length)
        if lasts < timedelta(0):
            raise LiveCrewError(f"`{length}` goes back in time; write 0 or more")
        return begin + lasts
    except OverflowError:
        raise LiveCrewError(f"`{length}` is too long; a stream ends with the year 9999") from None


def _length(length: Length) -> timedelta:
    """A length of time, exact to the microsecond."""
    if isinstance(length, timedelta):
        return length
    if isinstance(length, str):
        found = _LENGTH.fullmatch(length.strip())
        if found is None:
            raise _no_time(length)
        return timedelta(microseconds=int(Decimal(found[1]) * _UNITS[found[2]]))
    try:
        return timedelta(microseconds=round(length * 1_000))
    except (TypeError, ValueError):
        raise _no_time(length) from None


def _no_time(given: object) -> LiveCrewError:
    return LiveCrewError(f'`{given}` is no time; write milliseconds, or "0.5s", "2m", "1h"')
