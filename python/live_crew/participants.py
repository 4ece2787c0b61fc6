"""What takes part in a plan: a name, something to call, and how it is scheduled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._imports import load_object
from live_crew.errors import ConfigError
from live_crew.handlers import Handler, as_handler

if TYPE_CHECKING:
    from live_crew._workers import Workers
    from live_crew.config import CrewRuntime, LiveConfig

__all__ = ["Participant", "participants_of"]


@dataclass(frozen=True)
class Participant:
    """One crew of a plan."""

    name: str
    handler: Handler[..., Any]
    runtime: CrewRuntime

    @classmethod
    def from_handler(cls, handler: Handler[..., Any]) -> Participant:
        """A handler under its own name."""
        runtime = {"crew": handler.name, "triggers": list(handler.kinds), **handler.options}
        return cls(handler.name, handler, _runtime(runtime))

    @classmethod
    def from_crew(cls, name: str, crew: Any, runtime: dict[str, Any]) -> Participant:
        """Anything that reacts, under a given name."""
        handler = as_handler(crew)
        merged = {**_decorated(crew, handler, runtime), **runtime, "crew": name}
        return cls(name, handler, _runtime(merged))

    def core(self) -> dict[str, Any]:
        """What the core schedules it by."""
        return {**self.runtime.core(), "crew": self.name, "fingerprint": self.handler.fingerprint}

    def member(self, pace: str, workers: Workers) -> tuple[str, Callable[..., Any], str, bool, Any]:
        """What the core calls for each run, and how.

        A plain function runs on the thread of the loop while time is virtual and it has no
        deadline: nothing in its stream could go on without it. Else it gets a thread, so that
        neither the clock nor other streams wait for it.
        """
        handler = self.handler
        typed = handler.event_type.model_validate if handler.event_type else None
        if handler.is_async:
            return (self.name, handler.function, "task", handler.takes_context, typed)
        if pace == "virtual" and self.runtime.timeout_ms is None:
            return (self.name, handler.function, "inline", handler.takes_context, typed)
        submit = workers.submitter(handler.function, takes_context=handler.takes_context)
        return (self.name, submit, "submit", True, typed)


def participants_of(config: LiveConfig) -> Iterator[Participant]:
    """The crews that a configuration lists."""
    source = config.origins.of(("crews",)).source
    folder = Path(source.document.file).resolve().parent if source else Path.cwd()
    for entry in config.crews:
        if entry.python is None:
            raise ConfigError(f"`{entry.path}`: folders of CrewAI crews need `live-crew[crewai]`")
        found = load_object(entry.python, folder)
        handler = as_handler(found)
        given = {name: getattr(entry.runtime, name) for name in entry.runtime.model_fields_set}
        merged = {**_decorated(found, handler, given), **given, "crew": entry.name}
        yield Participant(entry.name, handler, _runtime(merged))


def _decorated(crew: Any, handler: Handler[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the decorator said. An undecorated function with needs runs when they land (rule C1)."""
    waits = "needs" in given or "dependencies" in given
    triggers = [] if waits and not isinstance(crew, Handler) else list(handler.kinds)
    return {"triggers": triggers, **handler.options}


def _runtime(keys: dict[str, Any]) -> CrewRuntime:
    from live_crew.config import make_runtime

    return make_runtime(**keys)
