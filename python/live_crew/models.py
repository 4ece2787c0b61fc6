"""What moves through live-crew: events come in, actions go out, crews need crews and events."""

from __future__ import annotations

from dataclasses import dataclass

from live_crew._core import Action, Event, check_crew, check_kind
from live_crew.errors import ModelError

__all__ = ["Action", "CrewDep", "Event", "EventDep"]

_FARTHEST = 10_000
"""How far a need may look back or ahead, in slices."""


@dataclass(frozen=True, slots=True)
class CrewDep:
    """A crew that has to land first: the one `offset` slices from the trigger, as a rule -1 or 0.

    >>> CrewDep("user_management")
    CrewDep(crew='user_management', offset=-1)
    """

    crew: str
    offset: int = -1

    def __post_init__(self) -> None:
        check_crew(self.crew)
        _check_offset(self.offset)


@dataclass(frozen=True, slots=True)
class EventDep:
    """An event that has to be there: of kind `event`, `offset` slices from the trigger.

    >>> EventDep("payment")
    EventDep(event='payment', offset=0)
    """

    event: str
    offset: int = 0

    def __post_init__(self) -> None:
        check_kind(self.event)
        _check_offset(self.offset)


def _check_offset(offset: object) -> None:
    if type(offset) is not int or not -_FARTHEST <= offset <= _FARTHEST:
        raise ModelError(
            f"`offset` is `{offset!r}`; write an int from -{_FARTHEST} to {_FARTHEST}, in slices"
        )
