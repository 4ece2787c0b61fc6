"""What arrives in a test, in the order it was written down: events, and crashes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from live_crew.models import Event

__all__ = ["CRASH", "Arrival", "Arrivals", "Crash", "Mark", "ProcessDiedError", "chapters"]


@dataclass(frozen=True)
class Arrival:
    """An event that arrives."""

    event: Event[Any]
    is_late: bool = False


@dataclass(frozen=True)
class Crash:
    """The process dies here."""


CRASH = Crash()

Mark = Arrival | Crash


class ProcessDiedError(Exception):
    """What the source raises where the process dies."""


class Arrivals:
    """A source that outlives the process: asked again, it sends again what was not journaled.

    It dies when it is asked for more than came before the crash. By then everything it gave is
    taken in and journaled, because it gives events one at a time: a `StopIteration` after each
    ends the batch, and only an empty batch ends the input.
    """

    source_name = "test"

    def __init__(self, events: Sequence[Event[Any]], known: int, crash_at: int | None) -> None:
        self._events = events
        self._known = known
        self._crash_at = crash_at
        self._given = 0
        self._ends_batch = False

    def __iter__(self) -> Iterator[Event[Any]]:
        return self

    def __next__(self) -> Event[Any]:
        if self._ends_batch:
            self._ends_batch = False
            raise StopIteration
        if self._given == self._crash_at:
            raise ProcessDiedError
        if self._given == len(self._events):
            raise StopIteration
        event = self._events[self._given]
        self._given += 1
        # What the journal knows is skipped one by one, in no batches.
        self._ends_batch = self._given > self._known
        return event


def chapters(marks: Sequence[Mark]) -> Iterator[Arrivals]:
    """One source for each life of the process."""
    events = [mark.event for mark in marks if isinstance(mark, Arrival)]
    known = count = 0
    for mark in marks:
        if isinstance(mark, Arrival):
            count += 1
        else:
            yield Arrivals(events, known, count)
            known = count
    yield Arrivals(events, known, None)
