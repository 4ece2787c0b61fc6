"""What a configuration says and where each value came from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from ._origins import Origins
from ._suggest import MASK, is_secret, mask
from ._yaml import Json, Where, dotted
from .live import LiveConfig
from .runtime import CrewRuntime

__all__ = ["Setting", "describe"]


@dataclass(frozen=True)
class Setting:
    """A value in force: its `path`, and `origin`, which is where it was said."""

    path: str
    value: Json
    origin: str


def describe(config: LiveConfig) -> list[Setting]:
    """Every setting of a configuration, without secrets, in the order of the documentation."""
    return [
        Setting(dotted(path), mask(value), origins.place(at))
        for path, value, origins, at in _leaves(config, config.origins, (), ())
    ]


def _leaves(
    value: Any, origins: Origins, path: Where, at: Where
) -> Iterator[tuple[Where, Any, Origins, Where]]:
    """Values that hold no others, by path; `at` is the path in what they were read from."""
    if path and isinstance(path[-1], str) and is_secret(path[-1]) and value is not None:
        yield path, MASK, origins, at
    elif isinstance(value, BaseModel):
        if isinstance(value, CrewRuntime):
            origins, at = value.origins, ()
        for name in type(value).model_fields:
            here = (*at, name)
            known = origins if name in value.model_fields_set else Origins()
            yield from _leaves(getattr(value, name), known, (*path, name), here)
    elif isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, origins, (*path, key), (*at, key))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, one in enumerate(value):
            yield from _leaves(one, origins, (*path, index), (*at, index))
    else:
        yield path, _json(value), origins, at


def _json(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return value
