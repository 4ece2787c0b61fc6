"""The model that stands in for those of a crew, as `llm` says it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew.config._file import shown_file
from live_crew.config._suggest import shown
from live_crew.crews.no_model import no_model
from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew.crews.seams import BaseLLM

__all__ = ["UnusableModelError", "connect_model", "make_model"]

_FIX = "give a `crewai.BaseLLM`, or a function without arguments that returns one"


class UnusableModelError(ConfigError):
    """What `llm` says cannot be used; whoever knows where it says so adds the place."""


def make_model(given: object) -> BaseLLM:
    """A model out of a name, a mapping for `crewai.LLM`, a script, a place in Python, an object."""
    from live_crew.crews import seams

    if isinstance(given, seams.BaseLLM):
        return given
    if isinstance(given, str):
        given = {"model": given}
    if isinstance(given, Mapping):
        return _made(dict(given))
    raise UnusableModelError(
        f"{shown(given)} is no model; give the name of one, a mapping, or a `crewai.BaseLLM`"
    )


def connect_model(given: object) -> None:
    """Make the client of a model that is named: tells of a key that is not set, for example.

    No run does so before its first call: on answers that were recorded it needs no key.
    """
    from live_crew.crews import seams

    name = given.get("model") if isinstance(given, Mapping) else given
    if not isinstance(name, str):
        return
    model = make_model(given)
    try:
        seams.connect(model)
    except (ValueError, ImportError) as error:
        raise UnusableModelError(no_model(str(error), name)) from error


def _made(said: dict[str, Any]) -> BaseLLM:
    from live_crew.crews import seams

    if "script" in said:
        return _scripted(Path(said["script"]))
    if "python" in said:
        return _imported(said["python"], said.get("folder"))
    try:
        model: BaseLLM = seams.LLM(**said)
    except Exception as error:
        raise UnusableModelError(no_model(str(error), str(said.get("model")))) from error
    return model


def _scripted(script: Path) -> BaseLLM:
    from live_crew.testing import ScriptedLLM

    if not script.is_file():
        sort = "is a folder" if script.is_dir() else "is not there"
        raise UnusableModelError(
            f"script `{shown_file(script)}` {sort}; name a file of answers, "
            "with `default: …` for example"
        )
    return ScriptedLLM.from_file(script)


def _imported(place: str, folder: str | None) -> BaseLLM:
    from live_crew._imports import load_object
    from live_crew.crews import seams

    try:
        found = load_object(place, Path(folder) if folder else Path.cwd())
        model = found() if callable(found) and not isinstance(found, seams.BaseLLM) else found
    except ConfigError as error:
        raise UnusableModelError(str(error)) from error
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(at.filename).name}:{at.lineno}"
        raise UnusableModelError(
            f"`python: {place}` raised {type(error).__name__}: {error} ({where}); correct it"
        ) from error
    if not isinstance(model, seams.BaseLLM):
        raise UnusableModelError(f"`python: {place}` gives {shown(model)}, no model; {_FIX}")
    return model
