"""Crews as they are given, as templates: built once on the lane, never run, copied for each run."""

from __future__ import annotations

import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew.crews.seams import Crew

__all__ = ["CrewTemplate", "is_crew_like"]

# CrewAI's loaders edit `sys.path` for a while.
_loading = threading.Lock()


def is_crew_like(thing: object) -> bool:
    """Whether something is a crew, or makes one, rather than a handler of events."""
    if isinstance(thing, (str, Path)) or _is_crew_object(thing):
        return True
    if _is_crew_class(thing) or _is_crew_class(type(thing)):
        return True
    return callable(thing) and _takes_nothing(thing)


class CrewTemplate:
    """Where a crew comes from, and what it is built into."""

    def __init__(self, name: str, source: object, *, model: object = None) -> None:
        self.name = name
        self._source = source
        self._model = model
        self._crew: Crew | None = None
        self.defaults: dict[str, Any] = {}
        self._make: Callable[[], Any]
        if isinstance(source, (str, Path)):
            from live_crew.crews.folder import read_folder

            self._folder = read_folder(source)
            self.defaults = dict(self._folder.default_inputs)
            self._make = self._build_folder
        else:
            self._make = self._build_object

    @property
    def fingerprint(self) -> str:
        """A hash of what the crew is made of, so that a journal tells when it was another one."""
        if isinstance(self._source, (str, Path)):
            own = self._folder.fingerprint()
        elif _is_crew_object(self._source):
            own = json.dumps(_texts(self._source), sort_keys=True, default=str)
        else:
            own = _code_of(self._source)
        model = "" if self._model is None else _name_of(self._model)
        return hashlib.blake2b(f"{own}\0{model}".encode(), digest_size=16).hexdigest()

    def build(self) -> None:
        """Build the crew. Takes a while, and imports what the crew imports."""
        with _loading:
            self._crew = self._make()

    def connect(self) -> None:
        """See that its models could be asked, where the crew itself says which they are."""
        if self._crew is not None and self._model is None and self._make == self._build_folder:
            from live_crew.crews.build import connect

            connect(self._folder, self._crew)

    def copy(self) -> Crew:
        """A crew for one run."""
        from live_crew.crews import seams

        if self._crew is None:
            raise RuntimeError(f"crew `{self.name}` is not built yet")
        return seams.fresh_copy(self._crew)

    def _build_folder(self) -> Crew:
        from live_crew.crews.build import build
        from live_crew.crews.models import make_model

        if self._model is None:
            return build(self._folder)
        return build(self._folder, llm=make_model(self._model))

    def _build_object(self) -> Crew:
        from live_crew.crews import seams
        from live_crew.crews.models import make_model

        crew = _resolve(self.name, self._source)
        # The user's own crew is never touched.
        crew = seams.fresh_copy(crew)
        if self._model is not None:
            seams.set_model(crew, make_model(self._model))
        return crew


def _resolve(name: str, source: Any) -> Any:
    """The crew behind an object, a class, an instance or a callable."""
    from live_crew.crews import seams

    thing = source
    if _is_crew_class(thing):
        thing = thing()
    if _is_crew_class(type(thing)):
        thing = thing.crew()
    elif not seams.is_crew(thing) and callable(thing):
        thing = thing()
        if not seams.is_crew(thing) and _is_crew_class(type(thing)):
            thing = thing.crew()
    if not seams.is_crew(thing):
        raise ConfigError(
            f"crew `{name}`: {source!r} gives {type(thing).__name__}, not a `crewai.Crew`"
        )
    _check(name, thing)
    return thing


def _check(name: str, crew: Any) -> None:
    """What a copy of a crew would get wrong."""
    roles = [agent.role.strip() for agent in crew.agents]
    for role in roles:
        if roles.count(role) > 1:
            raise ConfigError(
                f"crew `{name}`: two agents have the role `{role}`; "
                "give each its own, tasks find their agent by it"
            )
    texts = [(task.description.strip(), task.expected_output.strip()) for task in crew.tasks]
    for text in texts:
        if texts.count(text) > 1:
            raise ConfigError(
                f"crew `{name}`: two tasks say the same, `{text[0][:60]}`; "
                "change one, tasks find their context by what they say"
            )
    for at, task in enumerate(crew.tasks):
        for needed in task.context if isinstance(task.context, list) else ():
            if not any(needed is other for other in crew.tasks[:at]):
                raise ConfigError(
                    f"crew `{name}`: task `{task.name or text_of(task)}` takes the context of "
                    f"`{needed.name or text_of(needed)}`, which is no earlier task of the crew"
                )
    if getattr(crew, "checkpoint", None):
        raise ConfigError(
            f"crew `{name}` has `checkpoint`, with which a later run returns the answer of an "
            "earlier one; remove it, the journal recovers runs"
        )


def text_of(task: Any) -> str:
    """How a task without a name is called."""
    return str(task.description).strip()[:40]


def _is_crew_object(thing: object) -> bool:
    """Whether it is a `Crew`, without importing crewai to find out."""
    return any(
        one.__name__ == "Crew" and one.__module__.partition(".")[0] == "crewai"
        for one in type(thing).__mro__
    )


def _is_crew_class(thing: object) -> bool:
    return inspect.isclass(thing) and bool(getattr(thing, "is_crew_class", False))


def _takes_nothing(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(
        one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) or one.default is not one.empty
        for one in parameters
    ) and not any(one.kind is one.VAR_POSITIONAL for one in parameters)


def _texts(crew: Any) -> Any:
    """What a crew says and on which models."""
    agents = [
        [a.role, a.goal, a.backstory, getattr(a.llm, "model", str(a.llm))] for a in crew.agents
    ]
    tasks = [[t.name, t.description, t.expected_output] for t in crew.tasks]
    return [str(crew.process), agents, tasks]


def _code_of(source: Any) -> str:
    code = source if inspect.isclass(source) or inspect.isroutine(source) else type(source)
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return repr(code)


def _name_of(model: object) -> str:
    if isinstance(model, (str, Mapping)):
        return json.dumps(model, sort_keys=True, default=str)
    return str(getattr(model, "model", type(model).__name__))
