"""Builds the crew of a folder: the template of its runs, which itself never runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from live_crew.config._yaml import Where
from live_crew.errors import ConfigError, Problem

from .folder import FolderCrew
from .known_keys import MODELS
from .no_model import no_model
from .refused import problems_of, written_at

if TYPE_CHECKING:
    from .parts import Part
    from .seams import BaseLLM, Crew

__all__ = ["build", "connect"]

_SOURCE = "crew"
# The loader edits `sys.path` and `sys.modules` while it imports what a crew names.
_building = threading.Lock()


def build(crew: FolderCrew, *, llm: BaseLLM | None = None) -> Crew:
    """The crew as CrewAI's own strict loader makes it; `llm` replaces every model it names.

    With `llm` no model of the files is made, so no API key and no provider is needed.
    What CrewAI refuses is a `ConfigError` with the place in the files.
    """
    from . import seams

    definition = deepcopy(crew.definition)
    if llm is not None:
        _use(definition, llm)
    with _building:
        try:
            made: Crew = seams.load_crew_from_definition(
                _as_written(definition), source=_SOURCE, project_root=crew.root
            )[0]
        except Exception as error:  # noqa: BLE001 - code of the crew runs here, and it may raise any
            problems, cause = problems_of(error, crew.parts, _SOURCE)
            raise ConfigError(problems=problems) from cause
    if llm is not None:
        _give_manager(made, llm)
    return made


def connect(crew: FolderCrew, made: Crew) -> None:
    """See that the models its files name could be asked; on recorded answers nobody needs to."""
    if problems := list(_unconnected(crew, made)):
        raise ConfigError(problems=problems)


def _as_written(definition: dict[str, Any]) -> Any:
    """A definition that is handed on as it is: dumped, it would lose the objects in it."""
    from . import seams

    class Written(seams.CrewDefinition):
        def model_dump(self, **_: Any) -> dict[str, Any]:
            return definition

    return Written.model_construct()


def _use(definition: dict[str, Any], llm: BaseLLM) -> None:
    """Puts `llm` wherever a model is named, or would be made because none is."""
    for agent in definition["agents"].values():
        for settings in (agent, agent.get("settings", {})):
            _take_models(settings)
            _replace_inside(settings, llm)
        agent["llm"] = llm
    _take_models(definition)
    _replace_inside(definition, llm)
    if definition.get("process") == "hierarchical" and "manager_agent" not in definition:
        definition["manager_llm"] = llm
    if definition.get("planning"):
        definition["planning_llm"] = llm


def _take_models(settings: dict[str, Any]) -> None:
    for key in MODELS & settings.keys():
        del settings[key]


def _replace_inside(settings: dict[str, Any], llm: BaseLLM) -> None:
    for key in ("planning_config", "memory"):
        inner = settings.get(key)
        if isinstance(inner, dict) and inner.get("llm") is not None:
            inner["llm"] = llm


def _give_manager(made: Crew, llm: BaseLLM) -> None:
    """The manager is an object of the crew's own code if it is no agent of its files."""
    manager = made.manager_agent
    if manager is not None and manager.llm is not llm:
        made.manager_agent = manager.model_copy(update={"llm": llm})


def _unconnected(crew: FolderCrew, made: Crew) -> Iterator[Problem]:
    """Models that would fail at their first call, for want of a key for example."""
    from . import seams

    for part, path, model in _models(crew, made):
        name = str(getattr(model, "model", model))
        try:
            seams.connect(seams.LLM(model=model) if isinstance(model, str) else model)
        except (ValueError, ImportError) as error:
            yield part.problem(path, no_model(str(error), name, is_default=not path))


def _models(crew: FolderCrew, made: Crew) -> Iterator[tuple[Part, Where, Any]]:
    """Each model of a crew that was made, and where it is named."""
    parts = crew.parts
    manager = parts.settings.get("manager_agent")
    names = [name for name in crew.definition["agents"] if name != manager]
    agents: list[tuple[str, Any]] = list(zip(names, made.agents, strict=True))
    if manager in parts.agents:
        agents.append((str(manager), made.manager_agent))
    for name, agent in agents:
        part = parts.agents[name]
        yield part, written_at(part, "llm"), agent.llm
    for key in ("manager_llm", "planning_llm") if parts.rest else ():
        if parts.rest is not None and parts.settings.get(key):
            yield parts.rest, (key,), getattr(made, key)
