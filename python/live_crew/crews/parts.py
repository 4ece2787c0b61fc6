"""The agents, tasks and settings of a crew, each with the place where it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_crew.config._yaml import Document, Where, dotted, trap
from live_crew.errors import Problem

__all__ = ["Part", "Parts"]


@dataclass(frozen=True)
class Part:
    """An agent, a task, or what is said of the crew as a whole."""

    crew: str
    shown: str
    data: dict[str, Any]
    document: Document
    at: Where = ()
    is_broken: bool = False  # and has been told of; its name still counts

    def problem(self, path: Where, message: str, *, key: bool = False) -> Problem:
        """A problem of what stands at `path`, or of the key that leads there."""
        whole = (*self.at, *path)
        if path and self.value(path) is None:
            key = True  # nothing is there to point at
        locate = self.document.locate_key if key and whole else self.document.locate
        line, column = locate(whole)
        name = f"{self.shown}.{dotted(path)}" if path else self.shown
        shown = name.replace(".[", "[").strip(".") or None
        return Problem(message, shown, self.document.file, line, column, self.crew)

    def misread(self, path: Where) -> str | None:
        """How YAML reads the text at `path` that was meant otherwise."""
        written = self.document.written((*self.at, *path))
        value = self.value(path)
        return None if written is None or isinstance(value, str) else trap(written, value)

    def value(self, path: Where) -> Any:
        """What stands at `path`; `None` if nothing does."""
        value: Any = self.data
        for step in path:
            is_there = isinstance(value, dict) and step in value
            if not is_there and not (isinstance(value, list) and step in range(len(value))):
                return None
            value = value[step]
        return value


@dataclass
class Parts:
    """All of a crew as it is written, and what was found wrong with it so far."""

    crew: str
    root: Path
    agents: dict[str, Part] = field(default_factory=dict)
    tasks: list[Part] = field(default_factory=list)
    rest: Part | None = None
    read: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """What `crew.yaml` says, or `crew.json` beside its agents and tasks."""
        return self.rest.data if self.rest else {}

    def all(self) -> Iterator[Part]:
        """Every agent, every task, then the crew."""
        yield from self.agents.values()
        yield from self.tasks
        if self.rest:
            yield self.rest
