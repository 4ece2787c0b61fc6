"""A folder that holds a crew, read strictly and without CrewAI.

Every mistake is told at once, each with its file, line and column.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from live_crew.config._problems import check as raise_problems
from live_crew.errors import LiveCrewWarning

from .checks import check
from .known_keys import TEXTS
from .layout import has_crew_files, read_parts
from .parts import Part, Parts

__all__ = ["FolderCrew", "has_crew_files", "read_folder"]

# What CrewAI replaces; other braces are text.
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")


@dataclass(frozen=True)
class FolderCrew:
    """A crew as its folder says it: all there is to build it from."""

    name: str
    root: Path
    definition: dict[str, Any] = field(repr=False)  # which may hold keys
    default_inputs: dict[str, Any]
    files: tuple[Path, ...]
    placeholders: frozenset[str]
    parts: Parts = field(repr=False, compare=False)

    def fingerprint(self) -> str:
        """Tells two crews apart: a hash of the names and texts of all files that were read."""
        digest = blake2b(digest_size=16)
        for file in self.files:
            for text in (file.relative_to(self.root).as_posix(), self.parts.read[file]):
                data = text.encode()
                digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()


def read_folder(path: str | Path) -> FolderCrew:
    """The crew in the folder at `path`; raises `ConfigError` with all that is wrong with it."""
    parts = read_parts(path)
    check(parts)
    raise_problems(parts.problems)
    for remark in parts.remarks:
        warnings.warn(str(remark), LiveCrewWarning, stacklevel=2)
    settings = _given(parts.settings)
    inputs = settings.pop("inputs", {})
    name = settings.setdefault("name", parts.crew)
    definition = {
        "verbose": False,
        "tracing": False,
        **settings,
        "agents": {name: _clean(agent, "agents") for name, agent in parts.agents.items()},
        "tasks": [_clean(task, "tasks") for task in parts.tasks],
    }
    return FolderCrew(
        name=name,
        root=parts.root,
        definition=definition,
        default_inputs=inputs,
        files=tuple(parts.read),
        placeholders=frozenset(_placeholders(definition)),
        parts=parts,
    )


def _clean(part: Part, what: str) -> dict[str, Any]:
    """An agent or task without the white space that YAML leaves at the end of `>` texts."""
    data = _given(part.data)
    if "settings" in data:
        data["settings"] = _given(data["settings"])
    return {key: one.strip() if key in TEXTS[what] else one for key, one in data.items()}


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """Without keys that stand there with nothing under them, as CrewAI reads them."""
    return {key: value for key, value in data.items() if value is not None}


def _placeholders(definition: dict[str, Any]) -> Iterator[str]:
    for agent in definition["agents"].values():
        for key in TEXTS["agents"]:
            yield from _PLACEHOLDER.findall(agent.get(key, ""))
    for task in definition["tasks"]:
        for key in (*TEXTS["tasks"], "output_file"):
            yield from _PLACEHOLDER.findall(task.get(key, ""))
