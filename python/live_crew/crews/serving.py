"""Recorded answers, served to runs in the place of models and tools; differences are kept."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from live_crew.crews.packing import unpack, unpack_error
from live_crew.crews.redact import Redactor
from live_crew.crews.tape import Call, Place, RunKey, Tape, piece_of
from live_crew.crews.traffic import Answered, Question, Turns, current

if TYPE_CHECKING:
    from live_crew.crews.job import Work

__all__ = ["Mismatch", "Serving"]


@dataclass(frozen=True)
class Mismatch:
    """Something a run asked that is not what it asked when it was recorded."""

    # `request`, `missing`, `left over`
    what: str
    field: str
    recorded: Any = None
    now: Any = None


class Serving:
    """Answers what runs ask from a tape; nothing is called."""

    serves = True

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.served: dict[RunKey, _Served] = {}

    def start(self) -> None:
        """Nothing is made ready."""

    def finish(self) -> None:
        """Let go of the file."""
        self.tape.close()

    def around(self, work: Work) -> Work:
        """Work whose models and tools are not called."""

        async def served(run: Any, notes: Any, is_over: Callable[[], bool]) -> Any:
            key = RunKey.of(run)
            calls = await asyncio.to_thread(self.tape.calls, key)
            mine = self.served[key] = _Served(self.tape, calls, notes.redactor)
            current.set(mine)
            return await work(run, notes, is_over)

        return served

    def mismatches(self, key: RunKey) -> list[Mismatch]:
        """How what a run asked differs from what was recorded, once it is over."""
        served = self.served.get(key)
        return [] if served is None else served.close()

    def is_redacted(self, key: RunKey) -> bool:
        """Whether an answer that a run got lacked a secret."""
        served = self.served.get(key)
        return served is not None and served.is_redacted


class _Known(Answered):
    """A question whose answer is there."""

    is_served = True

    def __init__(self, call: Call, question: Question) -> None:
        self._call = call
        self._question = question

    def serve(self) -> Any:
        call = self._call
        self._question.count(call.tokens)
        if call.is_error:
            raise unpack_error(call.answer)
        return unpack(call.answer, self._question.response_model)


class _Unknown(Answered):
    """A question to which there is no answer. Nothing a crew does may go on after it."""

    is_served = True

    def __init__(self, message: str) -> None:
        self._message = message

    def serve(self) -> Any:
        from live_crew.crews import seams

        raise seams.HookAborted(self._message, "live-crew")


class _Served:
    """The answers of one run."""

    def __init__(self, tape: Tape, calls: list[Call], redactor: Redactor) -> None:
        self._tape = tape
        self._redactor = redactor
        self._lock = threading.Lock()
        self._turns = Turns()
        self._left: dict[Place, list[Call]] = defaultdict(list)
        for call in calls:
            self._left[call.place].append(call)
        self._mismatches: list[Mismatch] = []
        self._missing: str | None = None
        self.is_redacted = False

    def begin(self, question: Question) -> Answered:
        made = [piece_of(one) for one in question.messages(self._redactor)]
        request, pieces = tuple(digest for digest, _ in made), dict(made)
        place = question.place
        place = Place(self._redactor.text(place.agent), place.task, place.sort, place.name)
        with self._lock:
            ordinal, _ = self._turns.next(place)
            call = None if self._missing else self._take(place, request)
            if call is None and place.sort == "count":
                # It is an estimate anyway; without one, CrewAI's own.
                return _Estimate()
            if call is None:
                return self._lacks(place, ordinal)
            self.is_redacted |= call.is_redacted
            if call.request != request:
                self._mismatches.append(self._difference(place, call, request, pieces))
            return _Known(call, question)

    def close(self) -> list[Mismatch]:
        """All that differed; after a question without an answer it is no wonder what is left."""
        with self._lock:
            if self._missing:
                return list(self._mismatches)
            left = {
                place: len(calls)
                for place, calls in self._left.items()
                if calls and place.sort != "count"
            }
            told = [
                Mismatch("left over", f"{place}: {_answers(count)} not asked for", count, 0)
                for place, count in left.items()
            ]
            return [*self._mismatches, *told]

    def _take(self, place: Place, request: tuple[bytes, ...]) -> Call | None:
        """The next answer at a place.

        Tools that were called at once are told apart by their arguments: threads start in any
        order.
        """
        left = self._left[place]
        if not left:
            return None
        at_once = [call for call in left if call.turn == left[0].turn]
        if place.sort != "tool":
            at_once = at_once[:1]
        call = next((one for one in at_once if one.request == request), left[0])
        left.remove(call)
        return call

    def _lacks(self, place: Place, ordinal: int) -> Answered:
        field = f"request {ordinal} of {place} has no recorded answer"
        if self._missing is None:
            self._missing = field
            self._mismatches.append(Mismatch("missing", field))
        return _Unknown(self._missing)

    def _difference(
        self,
        place: Place,
        call: Call,
        request: tuple[bytes, ...],
        pieces: dict[bytes, str],
    ) -> Mismatch:
        """The first message that differs."""
        field = f"request {call.ordinal} of {place}"
        for at, (then, now) in enumerate(zip(call.request, request, strict=False)):
            if then != now:
                recorded, asked = self._tape.message(then), json.loads(pieces[now])
                return Mismatch("request", f"{field}: {_name(at, recorded)}", recorded, asked)
        at = min(len(call.request), len(request))
        more = call.request[at:] or request[at:]
        if len(call.request) > at:
            recorded = self._tape.message(more[0])
            return Mismatch("request", f"{field}: {_name(at, recorded)}", recorded, None)
        asked = json.loads(pieces[more[0]])
        return Mismatch("request", f"{field}: {_name(at, asked)}", None, asked)


class _Estimate(Answered):
    """Nobody said how long a text is, and nobody is asked."""

    is_served = True

    def serve(self) -> int:
        return 0


def _answers(count: int) -> str:
    return "1 recorded answer was" if count == 1 else f"{count} recorded answers were"


def _name(at: int, message: Any) -> str:
    if isinstance(message, dict):
        if "role" in message:
            return f"message {at + 1} ({message['role']})"
        if "tools" in message:
            return "tools"
        if "response_model" in message:
            return "response model"
    return "arguments"
