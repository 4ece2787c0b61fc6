"""Gives problems that the core found their places in the files they come from."""

import re
from collections.abc import Mapping

from live_crew.errors import ConfigError, PlanError, Problem

from ._origins import Source
from ._problems import check
from ._yaml import Where
from .live import LiveConfig

__all__ = ["locate_problems"]

_LISTS = ("needs", "triggers")


def locate_problems(
    error: PlanError,
    sources: Mapping[str, Source],
    config: LiveConfig | None = None,
) -> ConfigError:
    """`error` with file, line and column wherever they are known.

    `sources` tells by crew where its runtime settings stand: `LiveConfig.sources`, or
    `CrewRuntime.source` of crews registered one by one. With `config`, problems of stream
    settings are found as well.
    """
    try:
        check(_place(problem, sources, config) for problem in error.problems)
    except ConfigError as located:
        return located
    return error


def _place(problem: Problem, sources: Mapping[str, Source], config: LiveConfig | None) -> Problem:
    path: Where = tuple(problem.field.split(".")) if problem.field else ()
    source = sources.get(problem.crew or "")
    if path and config is not None and path[0] in LiveConfig.model_fields:
        inside = (*path, problem.crew) if path == ("context", "access") and problem.crew else path
        found = config.origins.problem(inside, problem.message, key=inside != path)
    elif source is not None:
        found = source.problem(_entry(path, problem, source), problem.message)
    else:
        return problem
    return Problem(
        found.message, found.field, found.file, found.line, found.column, crew=problem.crew
    )


def _entry(path: Where, problem: Problem, source: Source) -> Where:
    """The entry of a list that the message names, where it names one."""
    if len(path) != 1 or path[0] not in _LISTS:
        return path or ("crew",)
    node: object = source.document.data
    for part in source.under(path):
        if isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
    names = set(re.findall(r"`([^`]+)`", problem.message.replace(f"`{problem.crew}`", "", 1)))
    for at, item in enumerate(node if isinstance(node, list) else ()):
        if names & _names(item):
            return (*path, at)
    return path


def _names(item: object) -> set[str]:
    """What messages may call a trigger or a need."""
    if not isinstance(item, dict):
        return {str(item)}
    offset = item.get("offset")
    for key, label in (("crew", ""), ("event", "event "), ("kind", "event ")):
        if key in item:
            default = -1 if key == "crew" else 0
            name = str(item[key])
            return {name, f"{label}{name}@{default if offset is None else offset}"}
    return set()
