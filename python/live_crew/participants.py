"""What takes part in a plan: a name, what does its runs, and how it is scheduled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._imports import load_object
from live_crew.crews.template import is_crew_like
from live_crew.errors import ConfigError
from live_crew.handlers import Handler, as_handler

if TYPE_CHECKING:
    from live_crew._workers import Workers
    from live_crew.config import CrewEntry, CrewRuntime, LiveConfig
    from live_crew.crews.process.spec import Place
    from live_crew.crews.reactor import CrewReactor
    from live_crew.crews.traffic import Traffic

__all__ = ["Participant", "participants_of"]


@dataclass(frozen=True)
class Participant:
    """One crew of a plan: a handler, or a crew of CrewAI."""

    name: str
    does: Handler[..., Any] | CrewReactor
    runtime: CrewRuntime

    def __post_init__(self) -> None:
        if isinstance(self.does, Handler) and (wrong := _cannot_be_apart(self.does, self.runtime)):
            raise ConfigError(
                problems=[
                    replace(self.runtime.origins.problem(("isolation",), wrong), crew=self.name)
                ]
            )

    @classmethod
    def from_handler(cls, handler: Handler[..., Any]) -> Participant:
        """A handler under its own name."""
        runtime = {"crew": handler.name, "triggers": list(handler.kinds), **handler.options}
        return cls(handler.name, handler, _runtime(runtime))

    @classmethod
    def from_crew(
        cls, name: str, crew: Any, runtime: dict[str, Any], *, config: LiveConfig, model: object
    ) -> Participant:
        """Anything that reacts, under a given name."""
        if crew is None or is_crew_like(crew):
            runtime = {**_beside(crew, name), **runtime}
            own = runtime.pop("llm", None)
            given = own if own is not None and not isinstance(own, (str, dict)) else model
            said = {} if given is own or own is None else {"llm": own}
            made = _runtime(
                {"triggers": _no_triggers(name, runtime), **runtime, **said, "crew": name}
            )
            return cls(name, _reactor(name, crew, made, config, given), made)
        handler = as_handler(crew)
        merged = {**_decorated(crew, handler, runtime), **runtime, "crew": name}
        return cls(name, handler, _runtime(merged))

    @property
    def crew(self) -> CrewReactor | None:
        """The crew, if it is one of CrewAI."""
        return None if isinstance(self.does, Handler) else self.does

    def core(self) -> dict[str, Any]:
        """What the core schedules it by."""
        return {**self.runtime.core(), "crew": self.name, "fingerprint": self.does.fingerprint}

    def member(
        self, pace: str, workers: Workers, traffic: Traffic | None = None
    ) -> tuple[str, Callable[..., Any], str, bool, Any]:
        """What the core calls for each run, and how.

        A plain function runs on the thread of the loop while time is virtual and it has no
        deadline: nothing in its stream could go on without it. Else, and with `isolation: thread`,
        it gets a thread, so that neither the clock nor other streams wait for it. Crews of CrewAI
        have a lane of their own, or processes.
        """
        handler = self.does
        if not isinstance(handler, Handler):
            return (self.name, handler.submitter(traffic), "submit", True, None)
        typed = handler.event_type.model_validate if handler.event_type else None
        if handler.is_async:
            return (self.name, handler.function, "task", handler.takes_context, typed)
        is_free = self.runtime.timeout_ms is None and self.runtime.isolation == "none"
        if pace == "virtual" and is_free:
            return (self.name, handler.function, "inline", handler.takes_context, typed)
        submit = workers.submitter(handler.function, takes_context=handler.takes_context)
        return (self.name, submit, "submit", True, typed)


def participants_of(config: LiveConfig, model: object = None) -> Iterator[Participant]:
    """The crews that a configuration lists."""
    folder = _folder_of(config)
    for entry in config.crews:
        yield _participant(entry, config, folder, model)


def _participant(entry: CrewEntry, config: LiveConfig, folder: Path, model: object) -> Participant:
    source: Any = entry.path
    place = None
    if entry.path is not None:
        from live_crew.crews.folder import has_crew_files

        if not has_crew_files(entry.path) and entry.runtime.user_template is not None:
            source = None
    if entry.python is not None:
        source = load_object(entry.python, folder)
        place = _place(entry.python, folder)
    if source is None or is_crew_like(source):
        reactor = _reactor(entry.name, source, entry.runtime, config, model, place=place)
        return Participant(entry.name, reactor, entry.runtime)
    handler = as_handler(source)
    given = {name: getattr(entry.runtime, name) for name in entry.runtime.model_fields_set}
    merged = {**_decorated(source, handler, given), **given, "crew": entry.name}
    return Participant(entry.name, handler, _runtime(merged))


def _reactor(
    name: str,
    source: Any,
    runtime: CrewRuntime,
    config: LiveConfig,
    model: object,
    *,
    place: Place | None = None,
) -> CrewReactor:
    from live_crew.crews.reactor import CrewReactor, model_for

    chosen = model_for(runtime, model, config.llm, _folder_of(config))
    said_by = config.origins if runtime.llm is None and model is None else runtime.origins
    return CrewReactor(name, source, runtime, model=chosen, place=place, said_by=said_by)


def _place(spec: str, folder: Path) -> Place:
    from live_crew.crews.process.spec import Place

    module, _, name = spec.partition(":")
    return Place(module, name, str(folder))


def _folder_of(config: LiveConfig) -> Path:
    """Where relative names in a configuration start."""
    source = config.origins.of(("crews",)).source
    return Path(source.document.file).resolve().parent if source else Path.cwd()


def _decorated(crew: Any, handler: Handler[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the decorator said. An undecorated function with needs runs when they land (rule C1)."""
    waits = "needs" in given or "dependencies" in given
    triggers = [] if waits and not isinstance(crew, Handler) else list(handler.kinds)
    return {"triggers": triggers, **handler.options}


def _beside(crew: Any, name: str) -> dict[str, Any]:
    """What the runtime file in the folder of a crew says; keywords go over it."""
    if not isinstance(crew, (str, Path)):
        return {}
    from live_crew.config import load_runtime

    file = Path(crew) / f"{Path(crew).resolve().name}.runtime.yaml"
    if not file.is_file():
        return {}
    said = load_runtime(file, crew=name)
    return {key: getattr(said, key) for key in said.model_fields_set}


def _cannot_be_apart(handler: Handler[..., Any], runtime: CrewRuntime) -> str | None:
    """Why a handler cannot have the `isolation` it is to have."""
    if runtime.isolation == "process":
        return (
            f"`process` is for crews of CrewAI, and `{handler.name}` is a handler; use `thread`, "
            "or let the handler start a process"
        )
    if runtime.isolation == "thread" and handler.is_async:
        return (
            f"`thread` is for plain functions, and `{handler.name}` is async; "
            "remove `isolation`, or write `def` without `async`"
        )
    return None


def _no_triggers(name: str, runtime: dict[str, Any]) -> list[str]:
    """A crew costs money: it says what wakes it. One with needs may leave that to them (C1)."""
    if not {"triggers", "needs", "dependencies"} & set(runtime):
        raise ConfigError(
            f"crew `{name}` never runs; say what wakes it with `triggers=[…]`, "
            "or with `needs` what it waits for"
        )
    return []


def _runtime(keys: dict[str, Any]) -> CrewRuntime:
    from live_crew.config import make_runtime

    return make_runtime(**keys)
