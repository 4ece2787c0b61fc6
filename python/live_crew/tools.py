"""Tools that give an agent the shared context: `Agent(..., tools=[read_context, write_context])`.

In `agents.yaml`: `tools: ["live_crew.tools:ReadContext", "live_crew.tools:WriteContext"]`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, Field

from live_crew.crews import tools as _tools
from live_crew.crews.seams import BaseTool

__all__ = ["ReadContext", "WriteContext", "read_context", "write_context"]


def _never(*_: object) -> bool:
    return False


class _Read(BaseModel):
    path: str = Field(default="", description="keys with dots between, such as `score.home`")


class _Write(BaseModel):
    path: str = Field(description="keys with dots between, such as `score.home`")
    value: Any = Field(description="what to put there, any JSON")


class ReadContext(BaseTool):
    """Reads the context that all crews share."""

    name: str = "read_context"
    description: str = (
        "Read the context that all crews share. Without a path it gives everything, as JSON."
    )
    args_schema: type[BaseModel] = _Read
    # It may have been written since it was read last.
    cache_function: Any = _never

    def _run(self, path: str = "") -> str:
        return json.dumps(_tools.read(path), ensure_ascii=False, sort_keys=True)


class WriteContext(BaseTool):
    """Writes to the context that all crews share."""

    name: str = "write_context"
    description: str = (
        "Write a value to the context that all crews share. Other crews see it once this run is "
        "done."
    )
    args_schema: type[BaseModel] = _Write
    cache_function: Any = _never

    def _run(self, path: str, value: Any = None) -> str:
        _tools.write(path, _plain(value))
        return "written"


def _plain(value: Any) -> Any:
    """Models like to write JSON into a string."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


read_context = ReadContext()
write_context = WriteContext()
