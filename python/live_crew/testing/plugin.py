"""Fixtures for pytest, found by itself where live-crew is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from live_crew.models import Event
    from live_crew.orchestrator import Orchestrator
    from live_crew.testing.stream import TestStream

__all__ = ["EventsFile", "events_file", "orchestrator", "test_stream"]


class EventsFile(Protocol):
    """What `events_file` gives."""

    def __call__(
        self, events: Iterable[Event[Any] | Mapping[str, object] | str], name: str = ...
    ) -> Path:
        """Write a file of events; a text is written as it is, as a line that may be wrong."""
        ...


@pytest.fixture
def test_stream() -> Callable[..., TestStream]:
    """Make a `TestStream`: `test_stream(handler, slice_ms=100)`."""
    from live_crew.testing.stream import TestStream

    return TestStream


@pytest.fixture
def orchestrator() -> Orchestrator:
    """A new `Orchestrator` with a journal in memory."""
    from live_crew.orchestrator import Orchestrator

    return Orchestrator()


@pytest.fixture
def events_file(tmp_path: Path) -> EventsFile:
    """Write events to a file of JSON Lines: `events_file([{"ts": …, "kind": …, …}])`."""

    def write(
        events: Iterable[Event[Any] | Mapping[str, object] | str], name: str = "events.jsonl"
    ) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{_line(event)}\n" for event in events), encoding="utf-8")
        return path

    return write


def _line(event: Event[Any] | Mapping[str, object] | str) -> str:
    from live_crew.models import Event

    if isinstance(event, str):
        return event
    made = event if isinstance(event, Event) else Event.model_validate(event)
    return made.model_dump_json()
