"""From what a crew said to the answer that the core maps to actions (rules A1 to A4)."""

from __future__ import annotations

from typing import Any

from live_crew._core import Text

__all__ = ["answer_of"]


def answer_of(output: Any) -> Any:
    """Rule A2: the model a task declares, else its JSON, else text in which JSON is looked for."""
    if output.pydantic is not None:
        return output.pydantic.model_dump(mode="json")
    if output.json_dict is not None:
        return output.json_dict
    return Text(output.raw)
