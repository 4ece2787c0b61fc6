"""What a run gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

from live_crew._core import Bodies
from live_crew.errors import MultiCrewError
from live_crew.models import Action

__all__ = ["Actions", "Progress", "Refusal", "RunResult"]


class Actions(Sequence[Action]):
    """Actions, decoded when they are looked at."""

    def __init__(self, bodies: Bodies | list[bytes]) -> None:
        self._bodies = bodies

    @overload
    def __getitem__(self, index: int) -> Action: ...
    @overload
    def __getitem__(self, index: slice) -> Actions: ...
    def __getitem__(self, index: int | slice) -> Action | Actions:
        if isinstance(index, slice):
            return Actions([self._bodies[at] for at in range(*index.indices(len(self)))])
        return Action.model_validate_json(self._bodies[index])

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Action]:
        return map(Action.model_validate_json, self._bodies)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Actions):
            return list(self._bodies) == list(other._bodies)
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Actions], tuple[list[bytes]]]:
        return Actions, (list(self._bodies),)

    def __repr__(self) -> str:
        return f"<{len(self)} actions>"

    def to_jsonl(self) -> bytes:
        """All of them as JSON Lines."""
        return b"".join(body + b"\n" for body in self._bodies)


@dataclass(frozen=True)
class Refusal:
    """Input that was refused: why, and where it stood."""

    reason: str
    source: str
    line: int | None
    column: int | None
    raw: str

    @classmethod
    def read(cls, body: bytes) -> Refusal:
        """A dead letter as the core writes it."""
        letter = json.loads(body)
        place = letter.get("place") or {}
        return cls(
            reason=letter.get("reason", letter.get("policy", "late")),
            source=letter.get("source", "late"),
            line=place.get("line"),
            column=place.get("column"),
            raw=letter.get("raw", ""),
        )

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {self.reason}"


class Progress(NamedTuple):
    """How far a run is."""

    position: int
    """Bytes read of a file; of anything else, events."""
    events: int
    actions: int


@dataclass
class RunResult:
    """What a run gave: actions, the context of each stream, errors, and what was counted."""

    actions: Actions
    context: dict[str, dict[str, Any]]
    errors: list[MultiCrewError]
    refused: list[Refusal]
    digests: dict[str, str | None]
    events_processed: int
    actions_published: int
    ending: str
    failed: dict[str, str] = field(default_factory=dict)
    """Streams that stopped, and why: a late event met the policy `fail` (rule T5)."""
    counters: dict[str, int] = field(repr=False, default_factory=dict)
    # Tokens by crew, for crews of CrewAI.
    usage: dict[str, dict[str, int]] = field(repr=False, default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no crew and no stream failed, and no input was refused."""
        is_clean = not self.errors and not self.failed and not self.counters.get("refused")
        return is_clean and self.ending != "aborted"

    def raise_for_errors(self) -> None:
        """Raise the first error, if there is one."""
        if self.errors:
            raise self.errors[0]

    def model_dump(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        return {
            "ok": self.ok,
            "ending": self.ending,
            "events_processed": self.events_processed,
            "actions_published": self.actions_published,
            "counters": self.counters,
            "usage": self.usage,
            "digests": self.digests,
            "failed": self.failed,
            "context": self.context,
            "actions": [action.model_dump(mode="json") for action in self.actions],
            # Without their dependencies: to ask for those reads the journal, for each of them.
            "errors": [
                {
                    "crew": error.crew,
                    "stream_id": error.stream_id,
                    "slice": error.slice,
                    "timestamp": error.timestamp,
                    "run": error.run,
                    "reason": error.reason,
                    "message": error.message,
                    "attempts": error.attempts,
                    "suggestions": error.suggestions,
                }
                for error in self.errors
            ],
            "refused": [str(refusal) for refusal in self.refused],
        }
