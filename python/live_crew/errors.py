"""What goes wrong, as exceptions: each names the place, the value and what would be right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["ConfigError", "LiveCrewError", "LiveCrewWarning", "PlanError", "Problem"]


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


def _problem(given: Problem | Mapping[str, str | None]) -> Problem:
    """The core tells its problems as mappings of `crew`, `field` and `message`."""
    if isinstance(given, Problem):
        return given
    return Problem(given.get("message") or "", field=given.get("field"), crew=given.get("crew"))
