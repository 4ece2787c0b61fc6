"""One `<crew>.runtime.yaml`: when a crew runs, what it waits for, how it is bounded."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ._fields import U32, Choice, Section, Whole, refuse_parts
from ._llm import Llm
from ._origins import Origins, Source
from ._templates import Actions, Changes, Templates, TemplateText
from .needs import CrewName, Kind, Need, Timing, Trigger, WaitPolicy

__all__ = ["CrewRuntime", "Emits", "Retry"]

_CORE = (
    "triggers",
    "needs",
    "wait_policy",
    "timeout_ms",
    "slice_stride",
    "backlog_policy",
    "max_backlog",
    "max_errors",
    "cooldown_slices",
    "retry",
    "batch",
    "start",
    "timing",
    "concurrency",
    "priority",
    "expire_after",
    "emits",
)
_Count = Annotated[int, Whole(1, U32)]


class Retry(Section):
    """How often a failed run is tried again."""

    attempts: _Count = Field(default=1, description="attempts in all, the first included")
    backoff_ms: Annotated[int, Whole(0, U32, "milliseconds")] = Field(
        default=0, description="pause before the second attempt; it doubles with every further one"
    )
    jitter: Annotated[Literal["none"], Choice()] = Field(
        default="none", description="pauses are as long as they are said to be, so that runs replay"
    )


class Emits(Section):
    """How what a crew answers becomes actions."""

    kind: Kind | None = Field(default=None, description="kind of the actions; else `<crew>_result`")
    ttl_ms: Annotated[int, Whole(1, 300_000, "milliseconds")] = Field(
        default=5_000, description="how long an action is worth doing"
    )
    parse: Annotated[Literal["json", "auto", "text"], Choice()] = Field(
        default="auto", description="how raw text is read"
    )
    payload: Annotated[Any, Templates()] = Field(
        default=None, description="the payload, as templates over `output`, `event` and `ctx`"
    )
    context: dict[str, Annotated[Any, Templates()]] | None = Field(
        default=None,
        description="context keys to set, as templates over `output`, `event` and `ctx`",
    )


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class CrewRuntime(Section):
    """How one crew is run; the keywords of `register_crew` have the same names."""

    crew: CrewName = Field(description="its name, unique among the crews")
    triggers: Annotated[tuple[Trigger, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="kinds of events that wake it: exact, `*` or globs such as `goal_*`"
    )
    needs: tuple[Need, ...] = Field(default=(), description="what a run waits for")
    wait_policy: WaitPolicy = Field(default="all", description="how many of the needs it waits for")
    timeout_ms: Annotated[int, Whole(1, U32, "milliseconds")] | None = Field(
        default=None, description="hard limit of one attempt"
    )
    slice_stride: _Count = Field(default=1, description="runs only on slices that divide by this")
    backlog_policy: Annotated[Literal["fifo", "latest"], Choice()] = Field(
        default="fifo", description="what happens to triggers that pile up"
    )
    max_backlog: Annotated[int, Whole(0, U32)] = Field(
        default=1_000, description="runs of earlier slices that may wait"
    )
    max_errors: _Count = Field(default=3, description="failed runs in a row that disable the crew")
    cooldown_slices: _Count | None = Field(
        default=None, description="slices after which a disabled crew gets one more try"
    )
    retry: Retry = Field(default=Retry(), description="how often a failed run is tried again")
    batch: Annotated[Literal["event", "slice"], Choice()] = Field(
        default="event", description="one run for each trigger event, or for all of a slice"
    )
    start: Annotated[Literal["close", "arrival"], Choice()] = Field(
        default="close", description="start when the slice closes, or when the trigger arrives"
    )
    timing: Timing = Field(default="async", description="in which slice the output lands")
    concurrency: _Count = Field(default=1, description="runs at a time in one stream")
    priority: Annotated[int, Whole(-(1 << 31), (1 << 31) - 1)] = Field(
        default=0, description="smaller runs first within a level"
    )
    expire_after: Annotated[int, Whole(0, U32, "slices")] = Field(
        default=600, description="slices after which a run that has not started ends as expired"
    )
    isolation: Annotated[Literal["process", "thread", "none"], Choice()] = Field(
        default="none",
        description="where runs happen: a process or thread of their own, or this one",
    )
    memory_mb: _Count | None = Field(
        default=None,
        description="with `isolation: process`: memory of a run, beside that of the loaded crew",
    )
    cpu_s: _Count | None = Field(
        default=None, description="with `isolation: process`: processor time of a run"
    )
    inputs: dict[str, Annotated[Any, Templates()]] | None = Field(
        default=None, description="task inputs, as templates over `event`, `ctx` and `slice`"
    )
    emits: Emits = Field(default=Emits(), description="how answers become actions")
    llm: Annotated[Any, Llm()] = Field(
        default=None, description="model in place of those of the crew"
    )
    system_prompt: Annotated[str, TemplateText()] | None = Field(
        default=None, description="crew without agents.yaml: who the model is"
    )
    user_template: Annotated[str, TemplateText()] | None = Field(
        default=None, description="crew without agents.yaml: what it is asked, as a template"
    )
    outputs: Annotated[Any, Actions()] = Field(
        default=None,
        description="crew without agents.yaml: the actions, as templates over `generated`",
    )
    patch: Annotated[Any, Changes()] = Field(
        default=None, description="crew without agents.yaml: the context changes, as templates"
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @property
    def origins(self) -> Origins:
        """Where each value came from."""
        return self._origins

    @property
    def source(self) -> Source | None:
        """Where it is written down, unless it was given in Python."""
        return self._origins.source

    @model_validator(mode="before")
    @classmethod
    def _call_dependencies_needs(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "dependencies" not in data:
            return data
        if "needs" in data:
            refuse_parts([(("dependencies",), "says the same as `needs`; remove one")])
        return {("needs" if key == "dependencies" else key): one for key, one in data.items()}

    @model_validator(mode="after")
    def _limits_processes(self) -> "CrewRuntime":
        if self.isolation != "process":
            refuse_parts(
                ((name,), "limits a process; add `isolation: process`, or remove it")
                for name in ("memory_mb", "cpu_s")
                if getattr(self, name) is not None
            )
        return self

    @model_validator(mode="after")
    def _asks_something(self) -> "CrewRuntime":
        if self.user_template is None:
            refuse_parts(
                ((name,), "goes with `user_template`, what is asked; add that, or remove this")
                for name in ("system_prompt", "outputs", "patch")
                if getattr(self, name) is not None
            )
        return self

    def core(self) -> dict[str, Any]:
        """What the core schedules by; what is not set is left out, so that its defaults hold."""
        out: dict[str, Any] = {"crew": self.crew}
        for name in _CORE:
            if name in self.model_fields_set:
                value = getattr(self, name)
                if value is not None:
                    out[name] = _plain(value)
        return out


def _plain(value: Any) -> Any:
    if isinstance(value, Emits):
        said = {name: getattr(value, name) for name in sorted(value.model_fields_set)}
        # Templates are JSON of any shape: the core takes them as text.
        made = {
            name: json.dumps(said[name])
            for name in ("payload", "context")
            if said.get(name) is not None
        }
        return {**said, **made}
    if isinstance(value, Section):
        # There is one jitter, which the core need not be told.
        is_retry = isinstance(value, Retry)
        names = value.model_fields_set - {"jitter"} if is_retry else type(value).model_fields
        return {name: getattr(value, name) for name in sorted(names)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
