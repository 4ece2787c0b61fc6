"""What a run is given in another process, and the changes of the context that come back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from live_crew._core import Run
    from live_crew.models import Event

__all__ = ["Change", "Given", "GivenContext", "apply", "changes_of", "given_of"]

# Where, whether something stands there now, and what.
Change = tuple[tuple[str, ...], bool, Any]


@dataclass(frozen=True)
class Given:
    """A run as it goes over; there it stands in for the run that the core knows."""

    crew: str
    stream_id: str
    slice: int
    run: str
    attempt: int
    event: Any
    events: list[Event[Any]]
    context: dict[str, Any]
    deps: dict[str, Any]
    missing: list[str]
    # Whether what it asks models and tools is to be told.
    is_recorded: bool = False

    @cached_property
    def ctx(self) -> GivenContext:
        """What the crew reads and changes."""
        return GivenContext(self)


def given_of(run: Run, *, is_recorded: bool = False) -> Given:
    """What goes over of a run."""
    ctx = run.ctx
    return Given(
        run.crew,
        run.stream_id,
        run.slice,
        run.run,
        run.attempt,
        run.event,
        [] if ctx is None else list(ctx.events),
        {} if ctx is None else dict(ctx),
        {} if ctx is None else dict(ctx.deps),
        [] if ctx is None else list(ctx.missing),
        is_recorded,
    )


class GivenContext(dict[str, Any]):
    """The shared context as it came over; what is changed in it goes back when the run is done."""

    def __init__(self, given: Given) -> None:
        super().__init__(given.context)
        self.events = given.events
        self.deps = given.deps
        self.missing = given.missing
        self.slice = given.slice
        self.stream_id = given.stream_id
        self.crew = given.crew
        self.attempt = given.attempt


def changes_of(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """What differs, as deep in mappings as it can be said: others write beside it."""
    found: list[Change] = [((key,), False, None) for key in before if key not in after]
    for key, value in after.items():
        was = before.get(key)
        if isinstance(value, dict) and isinstance(was, dict):
            found += [((key, *rest), *what) for rest, *what in changes_of(was, value)]
        elif key not in before or not _same(was, value):
            found.append(((key,), True, value))
    return found


def apply(changes: list[Change], ctx: Any) -> None:
    """Make the changes that another process made."""
    for (*above, last), is_there, value in changes:
        here = ctx
        for key in above:
            here = here[key]
        if is_there:
            here[last] = value
        else:
            del here[last]


def _same(one: Any, other: Any) -> bool:
    """Equal in every type too: for JSON `1`, `1.0` and `true` are three values."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
