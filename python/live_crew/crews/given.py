"""What a crew is given: the event and the context as CrewAI's inputs."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from live_crew._core import Template
from live_crew.errors import ConfigError
from live_crew.models import Event

if TYPE_CHECKING:
    from live_crew._core import Run
    from live_crew.config import CrewRuntime

__all__ = ["as_data", "as_text", "context_note", "inputs_of", "names_of", "template_of"]

# A longer context is not put into every prompt; `read_context` reads it.
_MOST_SHOWN = 20_000


def inputs_of(run: Run, wanted: Template | None, defaults: dict[str, Any]) -> dict[str, Any]:
    """Inputs of a run: the keys of the payload, the words for the world, then what is mapped.

    What the crew itself has as default inputs gives way to the event, and that to `inputs` of the
    runtime file.
    """
    names = names_of(run)
    payload = names["event"]["payload"] if isinstance(names["event"], dict) else None
    own = payload if isinstance(payload, dict) else {}
    mapped = wanted.render(**{**names, "ctx": names["context"]}) if wanted else {}
    trigger = {} if payload is None else {"crewai_trigger_payload": as_text(payload)}
    return {**defaults, **own, **names, **trigger, **mapped}


def names_of(run: Run) -> dict[str, Any]:
    """The world as a run sees it, as plain data."""
    ctx = run.ctx
    events = [as_data(event) for event in (ctx.events if ctx is not None else ())]
    event = as_data(run.event) if isinstance(run.event, Event) else None
    if event is None and events:
        event = events[0]
    return {
        "event": event,
        "events": events,
        # A copy: what CrewAI does to its inputs is no change of the shared context.
        "context": copy.deepcopy(dict(ctx)) if ctx is not None else {},
        "slice": run.slice,
        "stream_id": run.stream_id,
        "deps": dict(ctx.deps) if ctx is not None else {},
        "missing": list(ctx.missing) if ctx is not None else [],
    }


def template_of(runtime: CrewRuntime, field: str) -> Template | None:
    """A field of a runtime file that holds templates; a mistake in it has its place."""
    value = getattr(runtime, field)
    if value is None:
        return None
    try:
        return Template(value)
    except ValueError as error:
        raise ConfigError(problems=[runtime.origins.problem((field,), str(error))]) from None


def as_data(event: Event[Any]) -> dict[str, Any]:
    """An event as plain data."""
    return event.model_dump(mode="json")


def as_text(value: Any) -> str:
    """A value as a prompt shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def context_note(context: dict[str, Any]) -> str | None:
    """What each task is told of the shared context; nothing if there is none."""
    if not context:
        return None
    text = json.dumps(context, ensure_ascii=False, sort_keys=True)
    if len(text) <= _MOST_SHOWN:
        return f"Shared context (JSON): {text}"
    keys = ", ".join(sorted(context))
    shown = keys if len(keys) <= _MOST_SHOWN else keys[:_MOST_SHOWN] + "…"
    return f"Shared context, {len(text)} characters, too long to show. Its keys: {shown}"
