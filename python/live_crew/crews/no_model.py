"""Why a model cannot be asked, and what helps."""

from __future__ import annotations

import re

from live_crew.config._suggest import shown

__all__ = ["gist", "no_model"]

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_EXTRA = re.compile(r"crewai\[[\w-]+\]")
# What pydantic adds; the value may be a key.
_ADDED = re.compile(
    r"\[type=\w+, input_value=.*?, input_type=\w+\]|For further information \S+ \S+", re.DOTALL
)
_LONGEST = 300


def no_model(said: str, model: str, *, is_default: bool = False) -> str:
    """A model that cannot be asked, out of what CrewAI says of it."""
    fix = "or give `llm:` in the runtime file to use another model"
    name = f"names no model, and {shown(model)}" if is_default else f"model {shown(model)}"
    if variable := _VARIABLE.search(said):
        return f"{name} needs `{variable[0]}`, which is not set; set it, {fix}"
    if said.startswith("Unable to initialize LLM"):
        return f"no provider that is installed has {shown(model)}; correct the name, {fix}"
    if extra := _EXTRA.search(said):
        install = f"pip install '{extra[0]}'"
        return f"{name} needs a package that is not installed; run `{install}`, {fix}"
    return f"{name} cannot be used: {gist(said)}; correct it, {fix}"


def gist(text: str) -> str:
    """A message on one line, lower case at its start."""
    line = " ".join(_ADDED.sub("", text).split()).rstrip(".")
    line = line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
    return line if line[1:2].isupper() else line[:1].lower() + line[1:]
