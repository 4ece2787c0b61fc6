"""The sections of the configuration of streams."""

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ._fields import U32, Choice, Flag, Name, Section, Text, Whole, _Sort, refuse, refuse_parts
from .needs import CrewName

__all__ = [
    "Acceptance",
    "AcceptanceWindow",
    "Access",
    "Audit",
    "AuditSection",
    "ContextSettings",
    "Epoch",
    "Ingress",
    "Journal",
    "JournalSection",
    "Redact",
    "Retention",
    "StreamLimits",
]

_Count = Annotated[int, Whole(1, U32)]
_Bytes = Annotated[int, Whole(1, 1 << 40, "bytes")]
_Glob = Annotated[
    str, Name("path glob", r"[^.\s]+(\.[^.\s]+)*", "names with `.` between them, `*` for any part")
]


class Retention(Section):
    """What the journal keeps. Without a bound, everything."""

    max_age_s: Annotated[int, Whole(1, U32, "seconds")] | None = Field(
        default=None, description="what is older may go"
    )
    max_bytes: _Bytes | None = Field(default=None, description="beyond this the oldest may go")


class Journal(Section):
    """Where inputs and outcomes are written before they take effect."""

    path: Annotated[str, Text("the path of a file")] | None = Field(
        default=None, description="SQLite file; absent keeps the journal in memory"
    )
    snapshot_every: _Count = Field(
        default=1_000, description="commits between two snapshots of a stream"
    )
    retention: Retention = Field(default=Retention(), description="what is kept")
    traffic: Annotated[bool, Flag()] | None = Field(
        default=None,
        description="keep what crews ask models and tools and are answered, in a file beside it; "
        "absent: if it is a file",
    )


class Access(Section):
    """What one crew sees and may write of the context."""

    read: tuple[_Glob, ...] | None = Field(
        default=None, description="path globs it sees; absent: all"
    )
    write: tuple[_Glob, ...] | None = Field(
        default=None, description="path globs it may write; absent: all"
    )


class ContextSettings(Section):
    """The shared context of a stream."""

    max_bytes: _Bytes = Field(
        default=4_096, description="canonical bytes the whole context may have"
    )
    conflicts: Annotated[Literal["last_wins", "error"], Choice()] = Field(
        default="last_wins", description="what two writers of one path in one slice mean"
    )
    access: dict[CrewName, Access] = Field(
        default={}, description="by crew, what it sees and may write"
    )


class Redact(Section):
    """Path globs whose values are replaced before they take effect."""

    payload: tuple[_Glob, ...] = Field(
        default=(), description="in the payloads of events and actions"
    )
    context: tuple[_Glob, ...] = Field(default=(), description="in the context")


class Rate(Section):
    """How much may come in. Without a bound, anything."""

    events_per_s: _Count | None = Field(default=None, description="events in a second, on average")
    burst: _Count | None = Field(
        default=None, description="events at once; absent: as many as in a second"
    )
    bytes_per_s: _Count | None = Field(
        default=None, description="bytes of payloads in a second, on average"
    )

    @model_validator(mode="after")
    def _go_together(self) -> "Rate":
        if self.burst is not None and self.events_per_s is None:
            refuse_parts([(("burst",), "goes with `events_per_s`; add it")])
        return self


class Ingress(Rate):
    """What each stream may send, live. What is over it is refused, and is a dead letter."""

    source: Rate = Field(default=Rate(), description="the same of all streams together")


class Audit(Section):
    """Where refused input and commands are noted."""

    path: Annotated[str, Text("the path of a file")] | None = Field(
        default=None, description="file that lines of JSON are appended to; absent: nowhere"
    )


class StreamLimits(Section):
    """Every bound of the core."""

    event_bytes: _Bytes = Field(default=2 << 20, description="bytes of one event as it arrives")
    payload_bytes: _Bytes = Field(default=1 << 20, description="bytes of one canonical payload")
    json_depth: Annotated[int, Whole(1, 1_000)] = Field(
        default=128, description="how deep JSON may nest"
    )
    id_bytes: _Bytes = Field(default=200, description="bytes of an id")
    open_events: _Count = Field(default=1_000_000, description="events that wait in open slices")
    dedupe_ids: _Count = Field(default=1_000_000, description="producer ids remembered, by stream")
    streams: _Count = Field(default=100_000, description="streams of one process")
    actions_per_run: _Count = Field(default=1_000, description="actions one run may answer with")
    ops_per_run: _Count = Field(default=10_000, description="context changes one run may make")
    need_offset: _Count = Field(default=10_000, description="slices a need may look back or ahead")
    attempts: _Count = Field(default=100, description="attempts of one run, the first included")
    crews: _Count = Field(default=10_000, description="crews in a plan")
    kinds: _Count = Field(default=10_000, description="kinds whose routes are remembered")


class _Seconds(Whole):
    """Seconds or `off`."""

    def check(self, value: Any) -> Any:
        return None if value in ("off", None) or value is False else super().check(value)

    def _fix(self) -> str:
        return "use 0 or more (seconds), or `off`"

    def json(self) -> dict[str, Any]:
        return {"anyOf": [super().json(), {"enum": ["off", False]}]}


class AcceptanceWindow(Section):
    """How far the `ts` of a live event may be from now. Not asked of files and replays."""

    past_s: Annotated[int | None, _Seconds(0, U32)] = Field(
        default=30 * 24 * 60 * 60, description="seconds back, or `off`"
    )
    future_s: Annotated[int | None, _Seconds(0, U32)] = Field(
        default=60, description="seconds ahead, or `off`"
    )


class _Epoch(_Sort):
    """`first_event`, `aligned` or an instant."""

    is_text = True

    def check(self, value: Any) -> str | datetime:
        fix = "use `first_event`, `aligned` or an instant such as `2026-01-01T00:00:00Z`"
        if isinstance(value, datetime):
            return _utc(value)
        if not isinstance(value, str):
            refuse("is no epoch", fix, text=True)
        if value in ("first_event", "aligned"):
            return value
        pattern = r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?"
        found = re.fullmatch(pattern, value, re.ASCII)
        if found is None:
            refuse("is no epoch", fix)
        day, minute, second, fraction, zone = found.groups()
        text = f"{day}T{minute or '00:00'}{second or ':00'}{(fraction or '.0').ljust(7, '0')}"
        try:
            return _utc(datetime.fromisoformat(text + (zone or "Z").upper().replace("Z", "+00:00")))
        except (ValueError, OverflowError):
            return refuse("is no instant", fix)

    def json(self) -> dict[str, Any]:
        instant = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"}
        return {"anyOf": [{"enum": ["first_event", "aligned"]}, instant]}


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=value.tzinfo or timezone.utc).astimezone(timezone.utc)


def _path_alone(value: Any) -> Any:
    return {"path": str(value)} if isinstance(value, str | Path) else value


def _read_acceptance(value: Any) -> Any:
    if isinstance(value, AcceptanceWindow | Mapping):
        return value
    if value is False or value == "off":
        return "off"
    return refuse("is no window", "use `off` or `{past_s: …, future_s: …}`")


AuditSection = Annotated[Audit, BeforeValidator(_path_alone)]
JournalSection = Annotated[Journal, BeforeValidator(_path_alone)]
Acceptance = Annotated[
    Annotated[Literal["off"], Choice(), Tag("<off>")]
    | Annotated[AcceptanceWindow, Tag("<window>")],
    Discriminator(lambda value: "<off>" if value == "off" else "<window>"),
    BeforeValidator(_read_acceptance),
]
Epoch = Annotated[Literal["first_event", "aligned"] | datetime, _Epoch()]
