"""Settings out of environment variables: `LIVE_CREW_SLICE_MS`, `LIVE_CREW_TRANSPORT__URL`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel

from live_crew.errors import ConfigError, Problem

from ._fields import wants_text
from ._problems import models_in
from ._suggest import closest
from ._yaml import Where, parse
from .live import LiveConfig

__all__ = ["read_env"]

_PREFIX = "LIVE_CREW_"
_NOT_OURS = frozenset({"LIVE_CREW_SELECTOR", "LIVE_CREW_TRACEBACK"})


def read_env(
    env: Mapping[str, str], problems: list[Problem]
) -> Iterator[tuple[str, Where, dict[str, Any]]]:
    """The name, the path and the setting, as a nested mapping, of each variable that is one.

    Outer settings come before inner ones. Texts are taken as they stand, everything else is
    read as YAML; an empty variable counts as not set.
    """
    known = _names()
    for name in sorted(env, key=lambda name: (name.count("__"), name)):
        if not name.startswith(_PREFIX) or name in _NOT_OURS or not env[name]:
            continue
        if name not in known:
            meant = closest(name, [*known, *_NOT_OURS])
            fix = f"did you mean `{meant}`?" if meant else "unset it, or see `live-crew config`"
            problems.append(Problem(f"is no setting; {fix}", name))
            continue
        path, as_text = known[name]
        value: Any = env[name]
        if not as_text:
            try:
                document = parse(value, name)
            except ConfigError as error:
                problems.extend(map(_without_place, error.problems))
                continue
            problems.extend(map(_without_place, document.problems))
            value = document.data
        for part in reversed(path):
            value = {part: value}
        yield name, path, value


def _without_place(problem: Problem) -> Problem:
    return replace(problem, field=problem.file, file=None, line=None, column=None)


@cache
def _names() -> dict[str, tuple[Where, bool]]:
    """Every variable there is, with its path and whether it takes a text as it stands."""
    return {
        _PREFIX + "__".join(map(str, path)).upper(): (path, text)
        for path, text in _walk(LiveConfig)
    }


def _walk(model: type[BaseModel], at: Where = ()) -> Iterator[tuple[Where, bool]]:
    for name, field in model.model_fields.items():
        yield (*at, name), wants_text(field.annotation, field.metadata)
        for inner in models_in(field.annotation, deep=False):
            yield from _walk(inner, (*at, name))
