"""What goes wrong, as exceptions: each names the place, the value and what would be right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from live_crew._core import Journal

__all__ = [
    "ConfigError",
    "HandlerError",
    "HandlerExit",
    "JournalError",
    "LiveCrewError",
    "LiveCrewWarning",
    "ModelError",
    "MultiCrewError",
    "PlanError",
    "Problem",
    "TransportError",
]


class LiveCrewError(Exception):
    """Everything live-crew raises on purpose."""


class LiveCrewWarning(UserWarning):
    """Something that works, but that somebody should look at."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: `file:line:column: field: message`."""

    message: str
    field: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    crew: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return ": ".join(part for part in (place, self.field, self.message) if part)


class ConfigError(LiveCrewError, ValueError):
    """A configuration file, an environment variable or a keyword says what cannot be.

    `problems` holds everything that was found, in the order of its place.
    """

    problems: tuple[Problem, ...]

    def __init__(
        self, message: str = "", problems: Iterable[Problem | Mapping[str, str | None]] = ()
    ) -> None:
        self.problems = tuple(map(_problem, problems))
        super().__init__(message or "\n".join(map(str, self.problems)))


class PlanError(ConfigError):
    """Crews that do not fit together: unknown needs, cycles, settings out of range."""


class ModelError(LiveCrewError, ValueError):
    """An event or an action that cannot be."""


class HandlerError(LiveCrewError, TypeError):
    """A function that cannot be a handler, or was made one the wrong way."""


class HandlerExit(LiveCrewError):  # noqa: N818 (named after what it was)
    """A handler called `sys.exit`, which ends its run and nothing else."""

    def __init__(self, code: object) -> None:
        super().__init__(f"called sys.exit({'' if code is None else code!r}); return instead")


class JournalError(LiveCrewError):
    """A journal cannot be read or written, or does not hold what was asked for."""


class TransportError(LiveCrewError, OSError):
    """Events cannot be read, or actions cannot be published."""


class MultiCrewError(LiveCrewError):
    """A run that failed: which crew, when, what it waited for, what it saw, what helps.

    `run()` does not raise it: it stands in `result.errors`. `result.raise_for_errors()` does.
    """

    def __init__(
        self,
        message: str,
        *,
        crew: str,
        stream_id: str,
        slice: int,  # noqa: A002 (its name everywhere)
        timestamp: str | None = None,
        run: str | None = None,
        reason: str = "error",
        attempts: int = 1,
        suggestions: list[str] | None = None,
        journal: "Journal | None" = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.crew = crew
        self.stream_id = stream_id
        self.slice = slice
        self.timestamp = timestamp
        self.run = run
        self.reason = reason
        self.attempts = attempts
        self.suggestions = suggestions or []
        self._journal = journal

    @property
    def dependencies(self) -> dict[str, int | None]:
        """Each need of the run with the slice that met it; `None` is missing."""
        if self._journal is None or self.run is None:
            return {}
        try:
            told = self._journal.explain(self.stream_id, self.crew, self.slice)
        except JournalError:
            return {}
        key = self.run.rpartition("/")[2]
        stories = [story for story in told["runs"] if story["run"] == key]
        return dict(stories[0]["needs"]) if stories else {}

    @property
    def context(self) -> dict[str, Any]:
        """The shared context as it was before the slice; empty if the journal has it no more."""
        if self._journal is None or self.slice < 1:
            return {}
        try:
            context: dict[str, Any] = self._journal.context_at(self.stream_id, self.slice - 1)
        except JournalError:
            return {}
        return context

    def __reduce__(self) -> tuple[Any, ...]:
        # Without its journal, which stays in its process.
        state = {**self.__dict__, "_journal": None}
        return (_remade, (self.message, self.crew, self.stream_id, self.slice), state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MultiCrewError) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        place = (self.stream_id, self.slice, self.crew, self.run)
        return (*place, self.reason, self.message, self.attempts)

    def __str__(self) -> str:
        place = f"crew `{self.crew}`, stream `{self.stream_id}`, slice {self.slice}"
        lines = [f"{place}: {self.reason}: {self.message}"]
        for need, met in self.dependencies.items():
            lines.append(
                f"  needs {need}: " + ("missing" if met is None else f"met by slice {met}")
            )
        lines += [f"  try: {suggestion}" for suggestion in self.suggestions]
        return "\n".join(lines)


def _problem(given: Problem | Mapping[str, str | None]) -> Problem:
    """The core tells its problems as mappings of `crew`, `field` and `message`."""
    if isinstance(given, Problem):
        return given
    return Problem(given.get("message") or "", field=given.get("field"), crew=given.get("crew"))


def _remade(message: str, crew: str, stream_id: str, slice_index: int) -> MultiCrewError:
    return MultiCrewError(message, crew=crew, stream_id=stream_id, slice=slice_index)
