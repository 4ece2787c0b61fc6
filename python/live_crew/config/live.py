"""The configuration of a process: its streams, where they come from, the crews on them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from ._fields import U32, Choice, Name, Section, Whole, refuse_parts
from ._llm import Llm
from ._origins import Origins, Source
from ._yaml import Where
from .needs import CrewName, Kind
from .runtime import CrewRuntime
from .settings import (
    Acceptance,
    AcceptanceWindow,
    Audit,
    AuditSection,
    ContextSettings,
    Epoch,
    Ingress,
    Journal,
    JournalSection,
    Redact,
    StreamLimits,
)
from .transport import MemoryTransport, NatsTransport, Transport

__all__ = ["CrewEntry", "LiveConfig", "Pace"]

Pace = Literal["virtual", "realtime"]
LatePolicy = Annotated[Literal["next", "drop", "dead_letter", "fail"], Choice()]
_RedisUrl = Annotated[str, Name("address of Redis", r"rediss?://\S+", "`redis://host:6379`")]
_CORE = (
    "slice_ms",
    "lateness_ms",
    "epoch",
    "late_policy",
    "late_policy_by_kind",
    "dedupe_window_s",
    "context",
    "redact",
    "kinds",
    "limits",
)


class CrewEntry(Section):
    """A crew of the configuration, with its runtime file read."""

    name: CrewName
    path: Path | None = None
    python: str | None = None
    runtime: CrewRuntime
    runtime_file: Path | None = None
    # Where it stands in the list, which those that are wrong are left out of.
    _at: int = PrivateAttr(default=0)

    @property
    def where(self) -> Where:
        """What of the list says where the crew is."""
        if self.python is not None:
            return ("crews", self._at, "python")
        return ("crews", self._at, "runtime" if self.path is None else "path")


class LiveConfig(Section):
    """Everything `live_crew_config.yaml` can say; made by `load_config`."""

    slice_ms: Annotated[int, Whole(1, 10_000, "milliseconds")] = Field(
        default=500, description="length of a slice"
    )
    heartbeat_s: Annotated[int, Whole(1, 300, "seconds")] = Field(
        default=10, description="time between two heartbeats"
    )
    kv_backend: Annotated[Literal["memory", "sqlite", "jetstream", "redis"], Choice()] = Field(
        default="memory", description="where the context is kept"
    )
    kv_url: _RedisUrl | None = Field(
        default=None, description="address of Redis, for `kv_backend: redis`", repr=False
    )
    transport: Transport = Field(
        default=MemoryTransport(), description="where events come from and actions go to"
    )
    journal: JournalSection = Field(
        default=Journal(), description="what is written before it takes effect"
    )
    pace: Annotated[Pace, Choice()] | None = Field(
        default=None,
        description="what moves time; absent: realtime on live transports, else virtual",
    )
    lateness_ms: Annotated[int, Whole(0, U32, "milliseconds")] | None = Field(
        default=None, description="how long a slice stays open for stragglers; absent: by pace"
    )
    epoch: Epoch = Field(default="first_event", description="where slice 0 begins")
    late_policy: LatePolicy = Field(default="next", description="what becomes of late events")
    late_policy_by_kind: dict[Kind, LatePolicy] = Field(default={}, description="the same by kind")
    dedupe_window_s: Annotated[int, Whole(0, U32, "seconds")] = Field(
        default=120, description="how long a producer's id is remembered, in event time"
    )
    acceptance: Acceptance = Field(
        default=AcceptanceWindow(), description="how far live events may be from now, or `off`"
    )
    ingress: Ingress = Field(default=Ingress(), description="how much live streams take in")
    audit: AuditSection = Field(
        default=Audit(), description="where refused input and commands are noted"
    )
    context: ContextSettings = Field(default=ContextSettings(), description="the shared context")
    redact: Redact = Field(default=Redact(), description="what must never be written down")
    kinds: tuple[Kind, ...] | None = Field(
        default=None, description="the kinds there are; absent: any"
    )
    limits: StreamLimits = Field(default=StreamLimits(), description="every bound of the core")
    llm: Annotated[Any, Llm()] = Field(
        default=None, description="model in place of those of all crews"
    )
    drain_grace_s: Annotated[int, Whole(0, 86_400, "seconds")] = Field(
        default=30, description="how long a stop waits for runs under way"
    )
    crews: tuple[CrewEntry, ...] = Field(default=(), description="the crews")

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @model_validator(mode="after")
    def _go_together(self) -> "LiveConfig":
        refuse_parts(self._contradictions())
        return self

    def _contradictions(self) -> Iterator[tuple[Where, str]]:
        nats = isinstance(self.transport, NatsTransport)
        if self.kv_backend == "jetstream" and not nats:
            wrong = f"`jetstream` needs NATS, and `transport` is `{self.transport.kind}`"
            fix = "add `transport: {kind: nats, url: …}` or use another `kv_backend`"
            yield ("kv_backend",), f"{wrong}; {fix}"
        if self.kv_backend == "sqlite" and nats:
            wrong = "`sqlite` is a file beside the journal, and on NATS the journal is no file"
            yield ("kv_backend",), f"{wrong}; use `jetstream` or `redis`"
        if self.kv_url is not None and self.kv_backend != "redis":
            wrong = f"goes with `kv_backend: redis`, and that is `{self.kv_backend}`"
            yield ("kv_url",), f"{wrong}; remove one"

    @property
    def origins(self) -> Origins:
        """Where each value came from."""
        return self._origins

    @property
    def sources(self) -> Mapping[str, Source]:
        """By crew, where its runtime settings are written down."""
        crews = ((entry.name, entry.runtime.source) for entry in self.crews)
        return {name: source for name, source in crews if source is not None}

    @property
    def effective_pace(self) -> Pace:
        """The pace that was set, or that of the transport."""
        if self.pace is not None:
            return self.pace
        return "virtual" if self.transport.kind == "file" else "realtime"

    def core(self, pace: Pace) -> dict[str, Any]:
        """What the core runs streams by; what is not set is left out, so that its defaults hold."""
        plain = {name: getattr(self, name) for name in _CORE if name in self.model_fields_set}
        out = {name: _plain(value) for name, value in plain.items() if value is not None}
        return {"pace": pace, **out}


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return {name: _plain(getattr(value, name)) for name in sorted(value.model_fields_set)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return value
