"""What an object must be able to do to stand in for a transport or a context back end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol, runtime_checkable

from live_crew.models import Action, Event

__all__ = ["ActionTransport", "ContextBackend", "EventTransport"]


@runtime_checkable
class EventTransport(Protocol):
    """Where events come from."""

    def events(self) -> AsyncIterator[Event[Any]]:
        """Yield events as they come; the end of the iterator is the end of the input."""
        ...


@runtime_checkable
class ActionTransport(Protocol):
    """Where actions go."""

    async def publish(self, action: Action[Any]) -> None:
        """Publish an action. It may come again after a crash, with the same `id`."""
        ...


@runtime_checkable
class ContextBackend(Protocol):
    """Where the shared context can be read from outside; the journal stays the truth."""

    async def save(self, stream_id: str, slice: int, context: Mapping[str, Any]) -> None:  # noqa: A002
        """Keep the context of a stream as it is after a slice was committed."""
        ...
