"""The model that stands in for those of a crew, as `llm` says it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew.crews.seams import BaseLLM

__all__ = ["make_model"]


def make_model(given: object) -> BaseLLM:
    """A model out of a name, a mapping for `crewai.LLM`, a script, a place in Python, an object."""
    from live_crew.crews import seams

    if isinstance(given, seams.BaseLLM):
        return given
    if isinstance(given, str):
        given = {"model": given}
    if isinstance(given, Mapping):
        return _made(dict(given))
    raise ConfigError(
        f"`llm` is {given!r}; give the name of a model, a mapping, or an object of `crewai.BaseLLM`"
    )


def _made(said: dict[str, Any]) -> BaseLLM:
    from live_crew.crews import seams

    if "script" in said:
        from live_crew.testing import ScriptedLLM

        return ScriptedLLM.from_file(said["script"])
    if "python" in said:
        return _imported(said["python"], said.get("folder"))
    try:
        model: BaseLLM = seams.LLM(**said)
    except Exception as error:
        raise ConfigError(
            f"`llm` {said.get('model')!r} cannot be used: {_last_line(error)}"
        ) from error
    return model


def _imported(place: str, folder: str | None) -> BaseLLM:
    from live_crew._imports import load_object
    from live_crew.crews import seams

    found = load_object(place, Path(folder) if folder else Path.cwd())
    if isinstance(found, seams.BaseLLM):
        return found
    model: object = found() if callable(found) else found
    if not isinstance(model, seams.BaseLLM):
        raise ConfigError(
            f"`llm: {{python: {place}}}` is {type(model).__name__}, not a `crewai.BaseLLM`"
        )
    return model


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
