"""What a crew waits for, and in which slice its output lands."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ._fields import U32, Choice, Name, Section, Whole, _Sort, refuse, refuse_parts
from ._suggest import did_you_mean, shown

__all__ = ["CrewName", "CrewNeed", "EventNeed", "Kind", "LetTiming", "Need", "Timing", "WaitPolicy"]

_FAR = (1 << 31) - 1
_TYPES = ("crew", "event")

CrewName = Annotated[
    str, Name("crew name", "[A-Za-z0-9_-]{1,64}", "1 to 64 of A-Z a-z 0-9 _ -")
]  # fmt: skip
Kind = Annotated[str, Name("kind", "[A-Za-z0-9_]{1,50}", "1 to 50 of A-Z a-z 0-9 _", reserved=True)]
Trigger = Annotated[
    str,
    Name(
        "trigger",
        "[A-Za-z0-9_*]{1,50}",
        "a kind, or `*` for any part of one: 1 to 50 of A-Z a-z 0-9 _ *",
        reserved=True,
    ),
]
_Offset = Annotated[int, Whole(-_FAR, _FAR, "slices from the trigger")]


class CrewNeed(Section):
    """A crew that must have landed a success."""

    type: Annotated[Literal["crew"], Choice()] = "crew"
    crew: CrewName = Field(description="the crew needed")
    offset: _Offset = Field(default=-1, description="slices from the trigger, usually -1 or 0")


class EventNeed(Section):
    """An event of a kind."""

    type: Annotated[Literal["event"], Choice()] = "event"
    event: Kind = Field(description="the kind needed; `kind` is the same")
    offset: _Offset = Field(default=0, description="slices from the trigger, usually 0")


class LetTiming(Section):
    """The output lands exactly `let` slices after the one its run started in."""

    let: Annotated[int, Whole(1, U32, "slices")] = Field(description="slices from start to landing")
    on_miss: Annotated[Literal["fail", "late"], Choice()] = Field(
        default="fail", description="what it means not to be ready by then"
    )


class _WaitPolicy(_Sort):
    """`all`, `any`, `none` or `timeout:<ms>`."""

    is_text = True

    def check(self, value: Any) -> str:
        fix = "use `all`, `any`, `none` or `timeout:<ms>`"
        if isinstance(value, Mapping) and set(value) == {"timeout"}:
            refuse("is no wait policy", f"write it as one text: `timeout:{value['timeout']}`")
        if not isinstance(value, str):
            refuse("is no wait policy", fix, text=True)
        if found := re.fullmatch(r"timeout: ?([0-9]{1,10})", value, re.ASCII):
            if int(found[1]) <= U32:
                return f"timeout:{int(found[1])}"
            refuse("waits for too long", f"use at most `timeout:{U32}`")
        if value not in {"all", "any", "none"}:
            refuse("is no wait policy", fix)
        return value

    def json(self) -> dict[str, Any]:
        timeout = {"type": "string", "pattern": "^timeout:[0-9]{1,10}$"}
        return {"anyOf": [{"enum": ["all", "any", "none"]}, timeout]}


WaitPolicy = Annotated[str, _WaitPolicy()]


def _read_need(value: Any) -> Any:
    """Brings the forms Python has for a need into the one of the files."""
    if isinstance(value, CrewNeed | EventNeed):
        return value
    if isinstance(value, tuple):
        if len(value) != len(("crew", "offset")):
            refuse("is no need", 'write `("crew", -1)`')
        return {"type": "crew", "crew": value[0], "offset": value[1]}
    if isinstance(value, Mapping):
        return _read_mapping(value)
    for name in _TYPES:
        if hasattr(value, name) and hasattr(value, "offset"):
            return {"type": name, name: getattr(value, name), "offset": value.offset}
    example = value if isinstance(value, str) and len(value) <= 64 else "planner"  # noqa: PLR2004
    return refuse("is no need", f"write `{{type: crew, crew: {example}, offset: -1}}`")


def _read_mapping(value: Mapping[Any, Any]) -> Any:
    if "type" not in value:
        refuse_parts([((), "`type` is missing; add `type: crew` or `type: event`")])
    if value["type"] not in _TYPES:
        wrong = (
            f"{shown(value['type'])} is no sort of need; {did_you_mean(str(value['type']), _TYPES)}"
        )
        refuse_parts([(("type",), wrong)])
    if value["type"] == "event" and "kind" in value:
        if "event" in value:
            refuse_parts([(("kind",), "says the same as `event`; remove one")])
        return {("event" if key == "kind" else key): one for key, one in value.items()}
    return value


def _need_tag(value: Any) -> str:
    sort = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", "crew")
    return f"<{sort}>"


def _read_timing(value: Any) -> Any:
    if isinstance(value, LetTiming | Mapping) or value in ("async", "sync"):
        return value
    if isinstance(value, str) and (found := re.fullmatch(r"let: ?([0-9]{1,10})", value, re.ASCII)):
        return {"let": int(found[1])}
    return refuse("is no timing", "use `async`, `sync`, `let:<slices>` or `{let: <slices>}`")


def _timing_tag(value: Any) -> str:
    return "<word>" if isinstance(value, str) else "<let>"


Need = Annotated[
    Annotated[CrewNeed, Tag("<crew>")] | Annotated[EventNeed, Tag("<event>")],
    Discriminator(_need_tag),
    BeforeValidator(_read_need),
]
Timing = Annotated[
    Annotated[Literal["async", "sync"], Choice(), Tag("<word>")]
    | Annotated[LetTiming, Tag("<let>")],
    Discriminator(_timing_tag),
    BeforeValidator(_read_timing),
]
