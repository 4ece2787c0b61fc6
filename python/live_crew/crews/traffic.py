"""What a run asks of models and tools, and what it is answered: recorded, and served again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import Self

from live_crew.crews.notes import log
from live_crew.crews.packing import pack, pack_error
from live_crew.crews.redact import Redactor
from live_crew.crews.tape import Call, Place, RunKey, Tape, piece_of
from live_crew.errors import JournalError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from live_crew._core import Journal
    from live_crew.crews.job import Work

__all__ = [
    "Answered",
    "Answers",
    "Question",
    "Recorded",
    "Recording",
    "Traffic",
    "current",
    "is_asking",
]


# Runs from one look at what the journal keeps to the next.
_PRUNED_EVERY = 1_000


@dataclass(frozen=True)
class Question:
    """What is asked, of whom."""

    place: Place
    task_name: str | None
    # Messages as JSON without secrets, made when somebody wants to see them.
    messages: Callable[[Redactor], list[Any]]
    response_model: type[BaseModel] | None = None
    model: str | None = None
    # What the model has counted so far.
    tokens: Callable[[], dict[str, int]] = dict
    count: Callable[[dict[str, int]], None] = lambda _: None


class Traffic(Protocol):
    """Stands around the runs of crews."""

    tape: Tape

    @property
    def serves(self) -> bool:
        """Whether models and tools are left alone, and so need not be there."""

    def around(self, work: Work) -> Work:
        """Work whose models and tools are seen."""

    def start(self) -> None:
        """Called before the first run of an orchestrator."""

    def finish(self) -> None:
        """Called after the last one."""


class Answers(Protocol):
    """Stands between one run and its models and tools."""

    def begin(self, question: Question) -> Answered:
        """Called before each question; what it gives is asked what to do."""


# Of the run that this code belongs to.
current: ContextVar[Answers | None] = ContextVar("live_crew_traffic", default=None)
# Whether a model or tool is at work: what it asks in turn is its own business.
is_asking: ContextVar[bool] = ContextVar("live_crew_asking", default=False)


class Answered:
    """One question on its way. This one only keeps what it asks in turn apart."""

    is_served = False

    def serve(self) -> Any:
        """The answer, if it is there already."""
        raise NotImplementedError

    def answered(self, answer: Any) -> Any:
        """Hand on an answer."""
        return answer

    def failed(self, error: Exception) -> None:
        """See an exception pass."""

    def __enter__(self) -> Self:
        self._was_asking = is_asking.set(True)
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        is_asking.reset(self._was_asking)
        if isinstance(error, Exception):
            self.failed(error)


class Turns:
    """Counts who has asked how often: what makes an occurrence."""

    def __init__(self) -> None:
        self._asked: Counter[Place] = Counter()
        self._turns: Counter[tuple[str, int | None]] = Counter()

    def next(self, place: Place) -> tuple[int, int]:
        """The ordinal of a question at its place, and the turn it belongs to.

        A turn is what an agent does of one answer of its model: tools that are called at once have
        no order among them.
        """
        whose = (place.agent, place.task)
        self._asked[place] += 1
        if place.sort == "llm":
            self._turns[whose] += 1
        return self._asked[place], self._turns[whose]


class _Heard(Answered):
    """A question whose answer is recorded."""

    def __init__(self, recorded: Recorded, question: Question, slot: int) -> None:
        self._recorded = recorded
        self._question = question
        self._slot = slot
        self._before = question.tokens()

    def answered(self, answer: Any) -> Any:
        try:
            packed = pack(answer, self._question.response_model)
        except Exception:  # noqa: BLE001 (it is an answer; it only cannot be served again)
            log.debug("an answer of %s could not be packed", self._question.place, exc_info=True)
            return answer
        self._recorded.keep(self._slot, packed, self._used(), is_error=False)
        return answer

    def failed(self, error: Exception) -> None:
        self._recorded.keep(self._slot, pack_error(error), self._used(), is_error=True)

    def _used(self) -> dict[str, int]:
        used = {
            name: count - self._before.get(name, 0)
            for name, count in self._question.tokens().items()
        }
        return {name: count for name, count in used.items() if count}


class Recorded:
    """What one run asked and got, until it is written."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        self._turns = Turns()
        self._asked: list[tuple[Question, int, int, tuple[bytes, ...]]] = []
        self._answers: dict[int, Call] = {}
        self._elsewhere: list[Call] = []
        self.messages: dict[bytes, str] = {}
        self._is_closed = False

    def begin(self, question: Question) -> Answered:
        """Hear a question."""
        pieces = [piece_of(one) for one in question.messages(self._redactor)]
        with self._lock:
            ordinal, turn = self._turns.next(question.place)
            self.messages.update(pieces)
            self._asked.append((question, ordinal, turn, tuple(digest for digest, _ in pieces)))
            return _Heard(self, question, len(self._asked) - 1)

    def keep(self, slot: int, packed: Any, tokens: dict[str, int], *, is_error: bool) -> None:
        """Keep the answer to a question."""
        redact = self._redactor
        answer = redact.data(packed)
        question, ordinal, turn, request = self._asked[slot]
        place = question.place
        call = Call(
            place=Place(redact.text(place.agent), place.task, place.sort, place.name),
            ordinal=ordinal,
            task_name=None if question.task_name is None else redact.text(question.task_name),
            turn=turn,
            request=request,
            answer=answer,
            is_error=is_error,
            is_redacted=answer != packed,
            model=question.model,
            tokens=tokens,
        )
        with self._lock:
            # A run that was given up may still have a thread.
            if not self._is_closed:
                self._answers[slot] = call

    def take(self, calls: list[Call], messages: dict[bytes, str]) -> None:
        """Take over what was heard in another process."""
        with self._lock:
            self._elsewhere += calls
            self.messages.update(messages)

    def close(self) -> list[Call]:
        """The answers in the order of their questions; what comes later is not heard."""
        with self._lock:
            self._is_closed = True
            return [*self._elsewhere, *(self._answers[slot] for slot in sorted(self._answers))]


class Recording:
    """Writes what runs ask and get to a tape, before their outcome is told."""

    serves = False

    def __init__(self, tape: Tape, journal: Journal | None = None, *, prunes: bool = False) -> None:
        self.tape = tape
        self._journal = journal
        self._prunes = prunes
        self._written = 0

    def start(self) -> None:
        """Begin anew beside a journal that does."""
        with _only_told():
            if self.tape.is_there and self._journal is not None and not _has_streams(self._journal):
                self.tape.clear()

    def finish(self) -> None:
        """Forget what the journal has forgotten, and let go of the file."""
        with _only_told():
            self._prune()
            self.tape.close()

    def around(self, work: Work) -> Work:
        """Work that is recorded."""

        async def recorded(run: Any, notes: Any, is_over: Callable[[], bool]) -> Any:
            heard = Recorded(notes.redactor)
            current.set(heard)
            try:
                answer = await work(run, notes, is_over)
            except asyncio.CancelledError:
                # Nothing to compare with will be in the journal.
                heard.close()
                raise
            except BaseException:
                await self._write(run, notes, heard)
                raise
            await self._write(run, notes, heard)
            return answer

        return recorded

    async def _write(self, run: Any, notes: Any, heard: Recorded) -> None:
        write = self.tape.write
        try:
            await asyncio.to_thread(write, RunKey.of(run), run.slice, heard.close(), heard.messages)
            self._written += 1
            if self._written % _PRUNED_EVERY == 0:
                await asyncio.to_thread(self._prune)
        except Exception as error:  # noqa: BLE001 (the run is good, it only cannot be run again)
            notes.warn(f"its traffic could not be recorded: {error}")

    def _prune(self) -> None:
        if self._journal is None or not self._prunes or not self.tape.is_there:
            return
        if not _has_streams(self._journal):
            return
        first: dict[str, int] = {}
        for stream in self._journal.streams():
            if stream["first_commit"]:
                kept = self._journal.digests(stream["stream_id"])
                first[stream["stream_id"]] = kept[0][0] if kept else stream["last_slice"] + 1
        if first:
            self.tape.forget_before(first)


@contextlib.contextmanager
def _only_told() -> Iterator[None]:
    """Nothing that is wrong with the traffic is worth a run."""
    try:
        yield
    except JournalError as error:
        log.warning("traffic is not recorded as it should: %s", error)


def _has_streams(journal: Journal) -> bool:
    is_there = journal.path is None or Path(journal.path).exists()
    return is_there and bool(journal.streams())
