from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, final

from typing_extensions import Self, TypeVar

__all__ = [
    "Action",
    "Event",
    "TypedPayload",
    "__version__",
    "check_crew",
    "check_kind",
    "read_events",
    "slice_index",
]

__version__: str

# What a payload is, in an `Event[T]` or an `Action[T]`; any JSON without brackets.
_T_co = TypeVar("_T_co", covariant=True, default=Any)

@final
class Event(Generic[_T_co]):
    """Something that happened: an instant, a kind, the stream it belongs to, any JSON as payload.

    Immutable: the payload is copied when the event is made, so hash and equality never change.
    `Event[T]` checks the payload with pydantic and gives it as `T`. Events compare by `(ts, kind,
    payload)`, then by their identities and their stream: the order in which a slice gives them.
    """

    __match_args__ = ("ts", "kind", "stream_id", "payload")
    def __new__(
        cls,
        ts: datetime | str | None = None,
        kind: str | None = None,
        stream_id: str | None = None,
        payload: Any = None,
        id: str | None = None,
        correlation_id: str | None = None,
        transaction_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """Needs `kind` and `stream_id`. `ts` is a datetime (naive is UTC), its text, or now."""

    @property
    def ts(self) -> datetime:
        """When it happened: an aware `datetime` in UTC."""

    @property
    def kind(self) -> str:
        """What sort of thing happened."""

    @property
    def stream_id(self) -> str:
        """The stream it belongs to."""

    @property
    def payload(self) -> _T_co:
        """Any JSON value, or what `T` makes of it in an `Event[T]`."""

    @property
    def id(self) -> str | None:
        """The producer's own id; events with the same one are taken once."""

    @property
    def correlation_id(self) -> str | None:
        """Groups what belongs to one request."""

    @property
    def transaction_id(self) -> str | None:
        """Groups what belongs to one transaction."""

    @property
    def causation_id(self) -> str | None:
        """What caused it."""

    @property
    def traceparent(self) -> str | None:
        """W3C trace context."""

    def model_dump(self, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Every field by name; in mode `json` with values that JSON has."""

    def model_dump_json(self) -> str:
        """Canonical JSON, byte for byte as it goes over the wire."""

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any] | Event[Any]) -> Self:
        """Reads a mapping of fields; an event is given back as it is."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """Reads JSON, as strictly as a source does; errors name line and column."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of an event."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """A copy; the fields in `update` are changed and checked."""

    @classmethod
    def __class_getitem__(cls, of: Any) -> Any: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any: ...
    def __lt__(self, other: Event[Any], /) -> bool: ...
    def __le__(self, other: Event[Any], /) -> bool: ...
    def __gt__(self, other: Event[Any], /) -> bool: ...
    def __ge__(self, other: Event[Any], /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Action(Generic[_T_co]):
    """Something to be done: what a handler answers with, and what live-crew publishes.

    A handler gives `kind` and `payload`; what else it leaves out is filled in: `ts` is the end of
    the slice, `stream_id` the stream of the event, `ttl_ms` 5 000, and the ids are those of the
    run. Immutable and compared like an `Event`; `Action[T]` checks the payload.
    """

    __match_args__ = ("ts", "kind", "stream_id", "payload")
    def __new__(
        cls,
        ts: datetime | str | None = None,
        kind: str | None = None,
        stream_id: str | None = None,
        payload: Any = None,
        ttl_ms: int | None = None,
        id: str | None = None,
        correlation_id: str | None = None,
        transaction_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Self:
        """Needs `kind`. `ts` is a datetime (naive is UTC) or its text."""

    @classmethod
    def create(cls, kind: str, payload: Any = None, **fields: Any) -> Self:
        """An action of `kind`; every other field by name."""

    @classmethod
    def from_event(cls, event: Event[Any], kind: str, payload: Any = None, **fields: Any) -> Self:
        """An answer to `event`, whose identities it takes over; `fields` come before them."""

    @property
    def ts(self) -> datetime | None:
        """When it is for: an aware `datetime` in UTC, or `None` for the end of the slice."""

    @property
    def kind(self) -> str:
        """What is to be done."""

    @property
    def stream_id(self) -> str | None:
        """The stream it is for, or `None` for that of the run."""

    @property
    def payload(self) -> _T_co:
        """Any JSON value, or what `T` makes of it in an `Action[T]`."""

    @property
    def ttl_ms(self) -> int:
        """How long it is worth doing."""

    @property
    def id(self) -> str | None:
        """The same whenever its run is repeated; absent until the run has landed."""

    @property
    def correlation_id(self) -> str | None:
        """Groups what belongs to one request."""

    @property
    def transaction_id(self) -> str | None:
        """Groups what belongs to one transaction."""

    @property
    def causation_id(self) -> str | None:
        """What caused it: the run, once it has landed."""

    @property
    def traceparent(self) -> str | None:
        """W3C trace context."""

    def model_dump(self, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
        """Every field by name; in mode `json` with values that JSON has."""

    def model_dump_json(self) -> str:
        """Canonical JSON, byte for byte as it goes over the wire."""

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any] | Action[Any]) -> Self:
        """Reads a mapping of fields; an action is given back as it is."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """Reads JSON; errors in it name line and column."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of an action."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """A copy; the fields in `update` are changed and checked."""

    @classmethod
    def __class_getitem__(cls, of: Any) -> Any: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any: ...
    def __lt__(self, other: Action[Any], /) -> bool: ...
    def __le__(self, other: Action[Any], /) -> bool: ...
    def __gt__(self, other: Action[Any], /) -> bool: ...
    def __ge__(self, other: Action[Any], /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any) -> Self: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class TypedPayload:
    """A payload that a type has checked, on its way into a model. `live_crew._typed` makes it."""

    def __new__(cls, of: Any, object: Any, plain: Any) -> Self: ...

def slice_index(
    ts: datetime | str | Event[Any], epoch0: datetime | str | Event[Any], slice_ms: int = 500
) -> int:
    """The slice an instant falls into: `floor((ts - epoch0) / slice_ms)`, exact, in microseconds.

    Negative before `epoch0`. An instant is a `datetime` (naive is UTC), its text, or an event.
    """

def read_events(path: str) -> list[Event[Any]]:
    """Every event of the file at `path`, or of standard input if that is `-`."""

def check_kind(kind: object) -> None:
    """Refuses what is no kind of events or actions."""

def check_crew(crew: object) -> None:
    """Refuses what is no name of a crew."""
