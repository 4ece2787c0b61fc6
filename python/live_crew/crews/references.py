"""What a crew names that is Python: tools, and `{python: module.name}`. Nothing is run here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from live_crew.config._suggest import closest, shown

from .layout import read_again
from .parts import Parts

__all__ = ["reference_problem", "tool_problem"]

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_FORMS = "name a class of `crewai_tools`, `module:Class`, or `custom:name` for `tools/name.py`"


def tool_problem(tool: Any, parts: Parts) -> str | None:
    """What is wrong with an entry of `tools`; its code is read, not run."""
    if isinstance(tool, dict):
        return None
    if not isinstance(tool, str):
        return f"{shown(tool)} is no tool; {_FORMS}"
    sort, colon, name = tool.partition(":")
    if sort == "custom" and colon:
        return _custom(name, parts)
    if sort == "platform" and colon:
        return None if name else f"{shown(tool)} names no application; write `platform:name`"
    pattern = _CLASS if colon else _NAME
    return None if pattern.fullmatch(tool) else f"{shown(tool)} is no tool; {_FORMS}"


def reference_problem(reference: dict[str, Any], parts: Parts) -> str | None:
    """What is wrong with a `{python: module.name}`, which has to be in the folder."""
    path = reference.get("python")
    if len(reference) > 1:
        return "says more than `python`; remove the rest"
    names = path.strip().split(".") if isinstance(path, str) else []
    if len(names) < 2 or not all(name.isidentifier() for name in names):  # noqa: PLR2004
        return f"{shown(path)} is no place in Python; write `module.name`"
    module = Path(*names[:-1])
    for name in (module.with_suffix(".py"), module / "__init__.py"):
        file = parts.root / name
        if file.is_file():
            read_again(parts, file)
            return None
    there = [one.stem for one in parts.root.glob("*.py")]
    meant = closest(names[0], there) if len(names) == 2 else None  # noqa: PLR2004
    fix = f"did you mean `{meant}.{names[-1]}`?" if meant else f"create `{module.as_posix()}.py`"
    return f"module {shown('.'.join(names[:-1]))} is not in the folder of the crew; {fix}"


def _custom(name: str, parts: Parts) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{shown(f'custom:{name}')} is no tool; write the name of a file of `tools/`"
    file = parts.root / "tools" / f"{name}.py"
    if file.is_file():
        read_again(parts, file)
        return None
    meant = closest(name, [one.stem for one in (parts.root / "tools").glob("*.py")])
    fix = f"did you mean `custom:{meant}`?" if meant else "create it with a subclass of `BaseTool`"
    return f"{shown(f'custom:{name}')} has no `tools/{name}.py`; {fix}"
