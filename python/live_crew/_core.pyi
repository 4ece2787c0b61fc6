from asyncio import Task
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context as Variables
from datetime import datetime
from os import PathLike
from random import Random
from typing import Any, Generic, Literal, final
from uuid import UUID

from typing_extensions import Self, TypeVar

from live_crew._tasks import Tasks

__all__ = [
    "Action",
    "Attempt",
    "Bodies",
    "Context",
    "Event",
    "Journal",
    "Nats",
    "Plan",
    "Run",
    "Session",
    "Template",
    "Text",
    "TypedPayload",
    "__version__",
    "check_crew",
    "check_kind",
    "check_server",
    "first_step_of",
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

def check_server(address: Mapping[str, Any]) -> dict[str, Any]:
    """What a server of NATS is, can do and has; `address` is that of a `NatsTransport`.

    Raises `TransportError` if there is no connection, or the server will not do.
    """

def check_crew(crew: object) -> None:
    """Refuses what is no name of a crew."""

@final
class Context:
    """What a run reads and writes. A mapping of the shared context, and the run's logical time.

    Values are handed out as plain lists and dicts. They may be changed in place, at any depth:
    what differs when the run ends becomes path-level changes.
    """

    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    @classmethod
    def __class_getitem__(cls, _item: Any) -> type[Context]: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """The value of a key, or a default."""

    def keys(self) -> list[str]:
        """The keys, in byte order."""

    def values(self) -> list[Any]:
        """The values, in the order of the keys."""

    def items(self) -> list[tuple[str, Any]]:
        """Keys and values, in the order of the keys."""

    def pop(self, key: str, *default: Any) -> Any:
        """Takes a key out and gives its value, or a default."""

    def setdefault(self, key: str, default: Any, /) -> Any:
        """The value of a key, which is set to a default if it has none."""

    def update(self, other: Any = None, /, **members: Any) -> None:
        """Sets every key of a mapping."""

    def incr(self, path: str | Sequence[str], by: float | None = None) -> Any:
        """Adds to a number, 0 if it is not there. Never a conflict with other crews that add.

        A path is dotted (`"score.home"`), or a list of keys.
        """

    def append(self, path: str | Sequence[str], value: Any) -> None:
        """Appends to a list, `[]` if it is not there. Never a conflict with others that append.

        A path is dotted (`"match.goals"`), or a list of keys.
        """

    def random(self, name: str = "random") -> Random:
        """A `random.Random` that replays: one sequence for each name."""

    def uuid(self, name: str = "uuid") -> UUID:
        """A UUID that replays: one for each name."""

    @property
    def now(self) -> datetime:
        """What time it is for the run: the end of its slice, the same whenever it is replayed."""

    @property
    def slice(self) -> int:
        """The slice the run started in."""

    @property
    def stream_id(self) -> str:
        """The stream."""

    @property
    def crew(self) -> str:
        """The crew."""

    @property
    def run(self) -> str:
        """The run, as causation ids name it: `crew/slice.place`."""

    @property
    def attempt(self) -> int:
        """Which attempt it is, from 1."""

    @property
    def events(self) -> list[Event[Any]]:
        """The trigger events, in order."""

    @property
    def deps(self) -> dict[str, Any]:
        """What the needs that are met answered, by crew or kind."""

    @property
    def missing(self) -> list[str]:
        """The needs that are not met, as `crew@offset`."""

@final
class Plan:
    """A checked set of crews."""

    def __new__(
        cls, crews: list[dict[str, Any]], settings: Mapping[str, Any], pace: str
    ) -> Self: ...
    @property
    def crews(self) -> list[str]:
        """The names of the crews, in the order in which a slice takes them."""

    @property
    def pace(self) -> Literal["virtual", "realtime"]:
        """What moves time."""

    @property
    def slice_ms(self) -> int:
        """The length of a slice."""

    def graph(self) -> list[dict[str, Any]]:
        """The crews with their levels, triggers and needs, for drawing."""

@final
class Nats:
    """Streams on NATS: a source of events, a place for actions, and a journal."""

    def __new__(
        cls,
        address: Mapping[str, Any],
        *,
        stream: str | None = None,
        crews: set[str] | None = None,
        shards: int = 8,
        replicas: int = 1,
        role: str = "both",
        lease_s: int = 3,
        waits: bool = False,
    ) -> Self: ...
    @property
    def live_on(self) -> str | None:
        """The servers, once its session has begun and while they are there."""

    @property
    def decides_for(self) -> int:
        """For how many shards or streams its session decides now."""

    def connect(self) -> None:
        """Connects, and makes the streams that are missing; raises what is wrong with that."""

    def take_waits(self) -> list[str]:
        """Why its session has not begun yet, each reason once."""

    def dead_letters(self) -> list[tuple[int, str | None, str]]:
        """The dead letters: number, the stream they were sent to if it is known, JSON."""

    def requeue(self, number: int) -> str:
        """Sends the event of a dead letter again and forgets the letter; gives its stream."""

    def publish(self, events: list[Event[Any]]) -> None:
        """Sends events to their streams and waits until the server has them."""

@final
class Journal:
    """A journal: in memory, or a file that outlives the process."""

    @staticmethod
    def memory() -> Journal:
        """A journal that lives as long as its process."""

    @staticmethod
    def file(path: str | PathLike[str]) -> Journal:
        """A journal in a file, which need not be there yet."""

    @staticmethod
    def nats(place: Nats) -> Journal:
        """The journals that sessions on NATS write there."""

    @property
    def is_on_nats(self) -> bool:
        """Whether sessions on NATS write it there."""

    @property
    def path(self) -> Any:
        """The file it is in, if it is in one."""

    def streams(self) -> list[dict[str, Any]]:
        """What it holds of each stream."""

    def explain(self, stream: str, crew: str, slice: int) -> dict[str, Any]:
        """Why a crew ran, waits or did not run in a slice."""

    def context_at(self, stream: str, slice: int) -> dict[str, Any]:
        """The context after a slice."""

    def blame(self, stream: str, path: str) -> list[dict[str, Any]]:
        """Every write to a dotted path, oldest first."""

    def timeline(self, stream: str) -> list[dict[str, Any]]:
        """Every run of a stream, by crew: what became of it, and what it wrote."""

    def digests(self, stream: str) -> list[tuple[int, str]]:
        """The digest chain: slice and digest of every commit."""

    def attempts(
        self,
        stream: str,
        plan: Plan,
        members: list[tuple[str, Callable[..., Any], str, bool, Callable[[Any], Any] | None]],
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> list[Attempt]:
        """Every attempt that started in a slice from `first` to `last`, with what it was given and
        what came of it; `members` are as in a session.
        """

    def verify(self, stream: str) -> dict[str, Any]:
        """Recomputes every digest of a stream."""

    def difference(self, other: Journal, stream: str) -> dict[str, Any] | None:
        """The first difference of a stream in two journals; `None` if there is none."""

@final
class Attempt:
    """What a run was given then, and what came of it then."""

    @property
    def crew(self) -> str: ...
    @property
    def slice(self) -> int: ...
    @property
    def stream_id(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def event(self) -> Any: ...
    @property
    def ctx(self) -> Context | None: ...
    @property
    def recorded(self) -> dict[str, Any]:
        """What came of it then."""

    def compare(self, answer: Any) -> dict[str, Any] | None:
        """How an answer differs from what was recorded; `None` if it does not."""

    def compare_failure(self, error: BaseException) -> dict[str, Any] | None:
        """The same for an exception."""

@final
class Template:
    """JSON whose strings may hold `{{ expressions }}`. What they give is never read as a
    template.
    """

    def __new__(cls, source: Any) -> Self: ...
    def render(self, **names: Any) -> Any:
        """Fills in; the keywords are the names that expressions may use."""

@final
class Text:
    """What a model wrote: an answer in which JSON is looked for, as `emits.parse` says (A2)."""

    def __new__(cls, text: str) -> Self: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any | None:
        """The JSON value in it, as `emits.parse: json` finds it; `None` without one."""

@final
class Run:
    """One run, for whoever does it: what it is given, and where its answer goes."""

    @property
    def crew(self) -> str:
        """The name of the crew."""

    @property
    def slice(self) -> int:
        """The slice it started in."""

    @property
    def event(self) -> Any: ...
    @property
    def ctx(self) -> Context | None: ...
    @property
    def stream_id(self) -> str:
        """The stream."""

    @property
    def run(self) -> str:
        """Which run it is: trigger slice and place."""

    @property
    def attempt(self) -> int:
        """Which attempt it is, from 1."""

    def complete(self, answer: Any, notes: list[Any] | None = None) -> None:
        """Gives the answer; from any thread. Only the first one counts. `notes` is a list of what
        was seen while it ran.
        """

    def fail(self, error: BaseException, notes: list[Any] | None = None) -> None:
        """Says that it failed."""

    def take(self, task: Task[Any]) -> None:
        """Takes what became of the task that does it, on the thread of the loop. Who calls this
        takes the next step, so the bell need not ring.
        """

@final
class Bodies:
    """The JSON of actions, the oldest first."""

    def __new__(cls) -> Self: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> bytes: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def take(self, other: Bodies) -> None:
        """Takes over what is in another one, behind what is here."""

    def forget(self, most: int) -> int:
        """Forgets the oldest while there are more than `most`; says how many."""

def first_step_of(task: Task[Any]) -> tuple[Tasks, Variables]:
    """Who makes a task of what stands for one in a first step, and the context of that step."""

@final
class Session:
    """One run of an orchestrator, from its first event to its end."""

    def __new__(
        cls,
        plan: Plan,
        members: list[tuple[str, Callable[..., Any], str, bool, Callable[[Any], Any] | None]],
        *,
        source: str | PathLike[str] | Iterator[Any] | None,
        make_event: Callable[[Any], Event[Any]],
        journal: Journal,
        spawn: Tasks,
        settings: dict[str, Any],
        keep_actions: bool,
        actions_path: str | PathLike[str] | None = None,
        problems_path: str | PathLike[str] | None = None,
        relay: bool = False,
        relay_context: bool = False,
        source_name: str | None = None,
        context: str | None = None,
    ) -> Self: ...
    def take_ear(self) -> int | None:
        """The socket that rings when a step is due, as a descriptor that is now the caller's."""

    def step(self) -> bool | dict[str, Any]:
        """Goes on as far as it can. `True` asks for another step soon, `False` waits for the bell,
        a summary is the end.
        """

    def publish(self, event: Event[Any]) -> bool:
        """Hands over an event; `False` if there is no room yet."""

    def end_input(self) -> None:
        """No event will be published any more."""

    def drain(self) -> None:
        """Takes no more events, finishes what is under way, then ends."""

    def abort(self) -> None:
        """Ends as soon as it can; what is in the journal stays."""

    def kill(self) -> None:
        """Drops everything at once, as a crash would; from within a step, when that ends.

        What is in the journal stays.
        """

    def take_actions(self) -> Bodies:
        """Takes the actions said since the last time, as JSON."""

    def take_problems(self) -> list[tuple[str, str | None, bytes]]:
        """Takes errors, late events and refused input: `(channel, stream, JSON)`."""

    def take_raised(self) -> list[dict[str, Any]]:
        """Takes the exceptions that runs raised, with their tracebacks."""

    def take_relay(self) -> list[tuple[str, str | None, bytes]] | None:
        """A batch that a transport of the program's own is to publish: `(channel, stream, JSON)`.

        Whoever takes it must say `published`.
        """

    def published(self, error: str | None = None) -> None:
        """The batch that was taken is published, or could not be."""

    @property
    def taken(self) -> tuple[int, int]:
        """How far the source is, in bytes of a file or in events, and how many events it gave."""

    @property
    def counts(self) -> dict[str, int]:
        """How much was said so far."""
