"""What a crew is, said so that another process can load it."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import pickle
import runpy
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._imports import load_object
from live_crew.crews.process.limits import Limits
from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew.config import CrewRuntime
    from live_crew.crews.job import CrewWork
    from live_crew.crews.prompt import PromptWork

__all__ = ["Place", "Spec", "Surroundings", "become_child", "is_child", "spec_of", "work_of"]

# The name under which the program's main module is loaded again; `__main__` stays asleep there.
_MAIN = "__live_crew_main__"
_OF_A_PROMPT = {"crew", "system_prompt", "user_template", "outputs", "patch", "emits"}


@dataclass(frozen=True)
class Place:
    """Something in a module: `module:name`, looked up in a folder first."""

    module: str
    name: str
    folder: str | None = None
    # For a module that is the program itself: its file, or its name if it was run by `-m`.
    main_file: str | None = None
    main_module: str | None = None


@dataclass(frozen=True, eq=False)
class Spec:
    """A crew, its model, its inputs and its limits."""

    name: str
    source: str | Place | None
    model: bytes | None
    main: Place | None
    inputs: dict[str, Any] | None
    prompt: dict[str, Any] | None
    limits: Limits


@dataclass(frozen=True)
class Surroundings:
    """What the program has that a process of its crews has too."""

    path: list[str]
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    levels: dict[str, int]


_is_child = False


def become_child() -> None:
    """Say that this process does runs for another one."""
    global _is_child  # noqa: PLW0603 (it is the process that is one)
    _is_child = True


def is_child() -> bool:
    """Whether this process does runs for another one."""
    return _is_child


def spec_of(
    name: str, source: object, runtime: CrewRuntime, *, model: object, place: Place | None
) -> Spec:
    """What is sent of a crew; `place` is where it is from, if the configuration says that."""
    prompt = None
    where: str | Place | None = None
    if source is None or runtime.system_prompt or runtime.user_template:
        prompt = runtime.model_dump(exclude_unset=True, include=_OF_A_PROMPT)
    elif isinstance(source, (str, Path)):
        where = str(Path(source).resolve())
    else:
        where = place or _place_of(name, source)
    pickled = None if model is None else _pickled(name, model)
    is_of_main = pickled is not None and b"__main__" in pickled
    return Spec(
        name,
        where,
        pickled,
        _main(name) if is_of_main else None,
        runtime.inputs,
        prompt,
        Limits(runtime.memory_mb, runtime.cpu_s),
    )


def work_of(spec: Spec) -> CrewWork | PromptWork:
    """What does the runs of a crew; called in the process that does them."""
    if spec.main is not None:
        _load_main(spec.main)
    model = None if spec.model is None else _unpickled(spec)
    if spec.prompt is not None:
        from live_crew.config import make_runtime
        from live_crew.crews.prompt import PromptWork

        return PromptWork(make_runtime(**spec.prompt), model)
    from live_crew._core import Template
    from live_crew.crews.job import CrewWork
    from live_crew.crews.template import CrewTemplate

    source = _found(spec.source) if isinstance(spec.source, Place) else spec.source
    inputs = None if spec.inputs is None else Template(spec.inputs)
    return CrewWork(CrewTemplate(spec.name, source, model=model), inputs)


def _place_of(name: str, source: Any) -> Place:
    """Where a class or function stands."""
    if not inspect.isclass(source) and not inspect.isfunction(source):
        what = f"a `{type(source).__name__}` object"
        raise ConfigError(
            f"crew `{name}` has `isolation: process`, and {what} cannot go to another process; "
            "give a folder, a function or class of a module that makes it, or "
            "`python: module:name` in the configuration"
        )
    try:
        found = functools.reduce(
            getattr, source.__qualname__.split("."), sys.modules[source.__module__]
        )
    except (AttributeError, KeyError):
        found = None
    if found is not source:
        raise ConfigError(
            f"crew `{name}` has `isolation: process`, and another process cannot import "
            f"`{source.__module__}:{source.__qualname__}`; define it at the top of a module, "
            "or give a folder"
        )
    if source.__module__ == "__main__":
        main = _main(name)
        return Place(
            _MAIN,
            source.__qualname__,
            main_file=main.main_file,
            main_module=main.main_module,
        )
    return Place(source.__module__, source.__qualname__)


def _main(name: str) -> Place:
    """Where the program itself is from."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return Place(_MAIN, "", main_module=spec.name)
    file = getattr(main, "__file__", None)
    if file is None or not os.path.exists(file):  # noqa: PTH110 (relative to where it started)
        raise ConfigError(
            f"crew `{name}` has `isolation: process`, and what is defined at a prompt cannot go "
            "to another process; put it into a file, or give a folder"
        )
    return Place(_MAIN, "", main_file=os.path.abspath(file))  # noqa: PTH100 (keeps links)


def _load_main(place: Place) -> types.ModuleType:
    """Load the program again, as a module that is not `__main__`, as multiprocessing does."""
    if _MAIN in sys.modules:
        return sys.modules[_MAIN]
    module = types.ModuleType(_MAIN)
    # Models that were pickled know it as `__main__`.
    sys.modules["__main__"] = sys.modules[_MAIN] = module
    if place.main_module is not None:
        told = runpy.run_module(place.main_module, run_name=_MAIN, alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(str(place.main_file)))  # noqa: PTH120
        told = runpy.run_path(str(place.main_file), run_name=_MAIN)
    module.__dict__.update(told)
    sys.modules["__main__"] = sys.modules[_MAIN] = module
    return module


def _found(place: Place) -> Any:
    """What stands at a place."""
    if place.folder is not None:
        return load_object(f"{place.module}:{place.name}", Path(place.folder))
    try:
        is_main = place.module == _MAIN
        module = _load_main(place) if is_main else importlib.import_module(place.module)
        return functools.reduce(getattr, place.name.split("."), module)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"`{place.module}:{place.name}` cannot be loaded in a process of its own: {error}; "
            "see that it can be imported without what this program did before"
        ) from error


def _pickled(name: str, model: object) -> bytes:
    try:
        return pickle.dumps(dict(model) if isinstance(model, Mapping) else model)
    except Exception as error:  # noqa: BLE001 (an object's own way may raise anything)
        raise ConfigError(
            f"crew `{name}` has `isolation: process`, and the model `{_named(model)}` cannot go "
            f"to another process: {error}; give its name, a mapping, or "
            '`{"python": "module:name"}`'
        ) from None


def _unpickled(spec: Spec) -> object:
    try:
        return pickle.loads(spec.model or b"")  # noqa: S301 (from our own parent)
    except Exception as error:
        raise ConfigError(
            f"the model of crew `{spec.name}` cannot be loaded in a process of its own: {error}; "
            'give its name, a mapping, or `{"python": "module:name"}`'
        ) from error


def _named(model: object) -> str:
    return str(getattr(model, "model", type(model).__name__))
