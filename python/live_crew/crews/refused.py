"""What CrewAI says when it refuses a crew, told with the place in the files and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec

from pydantic import ValidationError

from live_crew.config._suggest import one_of, shown
from live_crew.config._yaml import Where
from live_crew.errors import Problem

from .known_keys import MODELS
from .no_model import gist, no_model
from .parts import Part, Parts

__all__ = ["problems_of", "written_at"]

_TASK = re.compile(r"tasks\[(\d+)\]")
_UNKNOWN = re.compile(r"(?:unsupported|runtime-only) field\(s\)[^:]*: (.+)", re.DOTALL)
_FIELD = re.compile(r"(?:field ')?([A-Za-z_]\w*)")
_MOST_REASONS = 3


def problems_of(
    error: Exception, parts: Parts, source: str
) -> tuple[list[Problem], Exception | None]:
    """The problems in what the loader raised, and the exception worth a traceback."""
    texts = getattr(error, "errors", None)
    if isinstance(texts, list):
        return [problem for text in texts for problem in _told(text, parts, source)], None
    cause = error.__cause__
    part, _ = _part(str(error), parts, source)
    if isinstance(cause, ValidationError):
        return _invalid(cause, part, ()), None
    model = written_at(part, "llm")
    of_model = isinstance(cause, ImportError) and not isinstance(cause, ModuleNotFoundError)
    if of_model and cause is not None and "failed to load agent" in str(error):
        if isinstance(cause.__cause__, ValidationError) and model:
            return _invalid(cause.__cause__, part, model), None
        return [part.problem(model, no_model(str(cause), _name_of(part.value(model))))], error
    return list(_told(str(error), parts, source, cause)), error


def _told(
    text: str, parts: Parts, source: str, cause: BaseException | None = None
) -> Iterator[Problem]:
    part, rest = _part(text, parts, source)
    if unknown := _UNKNOWN.search(rest):
        inside: Where = ("settings",) if rest.startswith(": settings:") else ()
        for key in unknown[1].split(", "):
            wrong = "is no key of the CrewAI that is installed; remove it, or update CrewAI"
            yield part.problem((*inside, key), wrong, key=True)
        return
    named = _tool_of(text, parts)
    if named is not None:
        part, path, tool = named
        yield part.problem(path, _no_tool(tool, text, cause))
        return
    rest = rest.lstrip(": ").removeprefix("settings: ")
    field = _FIELD.match(rest)
    path = written_at(part, field[1]) if field else ()
    why = gist(rest.removeprefix(f"{path[-1]}: ") if path else rest)
    if cause is not None and not isinstance(cause, ValueError):
        why = f"{why.removesuffix(f': {cause}')}: {type(cause).__name__}: {gist(str(cause))}"
    yield part.problem(path, f"is refused by CrewAI: {why}; correct it")


def _part(text: str, parts: Parts, source: str) -> tuple[Part, str]:
    """The agent, task or crew a message begins with, and the rest of the message."""
    rest = text.removeprefix(f"{source}: ")
    if rest != text:
        for name in sorted(parts.agents, key=len, reverse=True):
            start = f"agents.{name}"
            if rest.startswith(start):
                return parts.agents[name], rest[len(start) :]
        found = _TASK.match(rest)
        if found and int(found[1]) < len(parts.tasks):
            return parts.tasks[int(found[1])], rest[found.end() :]
    first = parts.tasks[0]
    whole = parts.rest or Part(parts.crew, "", {}, first.document)
    return whole, rest if rest == text else f": {rest}"


def _tool_of(text: str, parts: Parts) -> tuple[Part, Where, str] | None:
    """The first tool a message is about; the loader names the tool and not its place."""
    for part in parts.all():
        path = written_at(part, "tools")
        tools = part.value(path) if path else []
        for at, tool in enumerate(tools if isinstance(tools, list) else []):
            if not isinstance(tool, str):
                continue
            file = f"/tools/{tool.removeprefix('custom:')}.py"
            if f"'{tool}'" in text or file in text:
                return part, (*path, at), tool
    return None


def written_at(part: Part, key: str) -> Where:
    """Where `key` of an agent, task or crew is said; agents may say it in `settings`."""
    for path in (("settings", key), (key,)):
        if part.value(path) is not None:
            return path
    return ()


def _no_tool(tool: str, said: str, cause: BaseException | None) -> str:
    if said.startswith("Unknown tool"):
        fix = "name `module:Class`, or `custom:name` for `tools/name.py`"
        if find_spec("crewai_tools") is None:
            fix = f"install it with `pip install crewai-tools`, {fix}"
            return f"{shown(tool)} is a tool of `crewai_tools`, which is not there; {fix}"
        return f"{shown(tool)} is no tool of `crewai_tools`; correct it, {fix}"
    inner = cause.__cause__ or cause if cause is not None else None
    why = gist(said if inner is None else str(inner))
    if inner is not None and not type(inner).__module__.startswith("crewai"):
        why = f"{type(inner).__name__}: {why}"
    return f"{shown(tool)} cannot be made: {why}; correct it"


def _name_of(model: object) -> str:
    name = model.get("model") if isinstance(model, dict) else model
    return name if isinstance(name, str) else "the default"


def _invalid(error: ValidationError, part: Part, at: Where) -> list[Problem]:
    """What pydantic found, one problem for each place. No value is shown: it may be a key."""
    found: dict[Where, list[tuple[str, str]]] = {}
    for loc, sort, message in _flat(error, at):
        path = _resolved(part, loc, is_missing=sort == "missing")
        found.setdefault(path, []).append((sort, message))
    return [part.problem(path, _reasons(part, path, found[path])) for path in _kept(found)]


def _kept(found: dict[Where, list[tuple[str, str]]]) -> Iterator[Where]:
    """Without what other members of a union say that were not meant."""
    chosen = {path[0]: path for path, reasons in found.items() if path and _is_choice(reasons)}
    deeper = {path[0] for path in found if len(path) > 1}
    for path in found:
        if path and path[0] in chosen:
            if path == chosen[path[0]]:
                yield path
        elif len(path) != 1 or path[0] not in deeper:
            yield path


def _is_choice(reasons: list[tuple[str, str]]) -> bool:
    return len(reasons) > 1 and all(sort == "literal_error" for sort, _ in reasons)


def _reasons(part: Part, path: Where, reasons: list[tuple[str, str]]) -> str:
    if any(sort == "missing" for sort, _ in reasons) and path:
        return f"is missing; add `{path[-1]}: …`"
    if _is_choice(reasons):
        words = sorted({word for _, said in reasons for word in re.findall(r"'([^']+)'", said)})
        return f"is none of {one_of(words)}, or does not go with the rest; correct it"
    if path and path[-1] in MODELS:
        return no_model(reasons[0][1], _name_of(part.value(path)))
    said = list(dict.fromkeys(gist(said) for _, said in reasons))[:_MOST_REASONS]
    return f"is refused by CrewAI: {', or '.join(said)}; correct it"


def _flat(error: ValidationError, at: Where) -> Iterator[tuple[Where, str, str]]:
    """All errors, those inside of other errors too."""
    for found in error.errors(include_url=False, include_input=False):
        loc = (*at, *found["loc"])
        inner = found.get("ctx", {}).get("error")
        if isinstance(inner, ValidationError):
            yield from _flat(inner, loc)
        else:
            yield loc, found["type"], found["msg"].removeprefix("Value error, ")


def _resolved(part: Part, loc: Where, *, is_missing: bool) -> Where:
    """The part of `loc` that is written down; names of classes are left out."""
    path = written_at(part, str(loc[0]))[:-1] if loc else ()
    for at, step in enumerate(loc):
        absent = is_missing and at == len(loc) - 1 and isinstance(part.value(path), dict)
        if part.value((*path, step)) is not None or absent:
            path = (*path, step)
    return path
