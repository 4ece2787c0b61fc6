"""Turns what validation found into problems with a place and a fix."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from live_crew.errors import ConfigError, Problem

from ._fields import Section
from ._origins import Origins
from ._suggest import did_you_mean, is_secret, shown
from ._yaml import Where, trap

__all__ = ["check", "in_order", "models_in", "validate"]

_Model = TypeVar("_Model", bound=Section)
_SYNONYMS = {"needs": "dependencies"}
_TAG = re.compile(r"<[a-z]+>|\[key\]")


def validate(
    model: type[_Model], data: object, origins: Origins, problems: list[Problem], at: Where = ()
) -> _Model | None:
    """The checked `data`, which stands `at` a path of `origins`; or more `problems`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            problems.extend(_explain(found, model, origins, at))
        return None


def check(problems: Iterable[Problem]) -> None:
    """Raises all problems there are as one error, in their order."""
    if found := in_order(problems):
        raise ConfigError(problems=found) from None


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, in the order of files, lines and columns."""
    found = list(dict.fromkeys(problems))
    files = {file: rank for rank, file in enumerate(dict.fromkeys(p.file for p in found))}
    found.sort(key=lambda p: (p.file is None, files[p.file], p.line or 0, p.column or 0))
    return found


def models_in(annotation: Any, *, deep: bool = True) -> Iterator[type[BaseModel]]:
    """The models an annotation names, those in lists and mappings too if `deep`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif deep or getattr(annotation, "__origin__", None) not in (tuple, dict):
        for arg in get_args(annotation):
            yield from models_in(arg, deep=deep)


def _explain(
    error: ErrorDetails, model: type[Section], origins: Origins, at: Where
) -> Iterator[Problem]:
    raw = error["loc"]
    path: Where = (*at, *(p for p in raw if not _TAG.fullmatch(str(p))))
    ctx = error.get("ctx", {})
    key = "[key]" in raw
    value = error["input"]
    written = origins.written(path)
    if value is None and written == "":
        yield origins.problem(path, trap("", None), key=key)
    elif error["type"] == "bad_parts":
        for below, message in ctx["parts"]:
            yield origins.problem((*path, *below), message)
    elif error["type"] in ("bad_value", "bad_text"):
        message = f"{_value(path, value)} {ctx['said']}; {ctx['fix']}"
        if error["type"] == "bad_text" and not isinstance(value, str) and written is not None:
            message = trap(None if _secret(path) else written, value)
        yield origins.problem(path, message, key=key)
    elif error["type"] == "extra_forbidden":
        message = f"is no setting; {_meant(model, raw)}"
        yield origins.problem(path, message, key=True)
    elif error["type"] == "missing":
        yield origins.problem(path, f"is missing; add `{path[-1]}: …`")
    else:
        yield origins.problem(path, _wrong_shape(error, path), key=key)


def _wrong_shape(error: ErrorDetails, path: Where) -> str:
    name = _value(path, error["input"])
    if error["type"] in ("model_type", "dict_type", "model_attributes_type"):
        return f"{name} is no mapping; write `key: value` lines below it"
    if error["type"] in ("tuple_type", "list_type"):
        return f"{name} is no list; write `[…]`"
    if error["type"] == "too_short":
        return f"{name} is empty; give it something or remove it"
    return f"{name} is not allowed: {error['msg'].lower()}; change it"


def _value(path: Where, value: object) -> str:
    return "the value" if _secret(path) and value is not None else shown(value)


def _secret(path: Where) -> bool:
    return any(isinstance(part, str) and is_secret(part) for part in path)


def _meant(model: type[BaseModel], raw: tuple[str | int, ...]) -> str:
    """What a key that is no setting was probably meant to be."""
    at: type[BaseModel] = model
    tagged = list(models_in(model))
    for part in raw[:-1]:
        if isinstance(part, str) and part.startswith("<"):
            at = next((one for one in tagged if f"<{_tag(one)}>" == part), at)
        elif isinstance(part, str) and part in at.model_fields:
            tagged = list(models_in(at.model_fields[part].annotation))
            at = tagged[0] if tagged else at
    names = set(at.model_fields)
    names |= {other for name, other in _SYNONYMS.items() if name in names}
    return did_you_mean(str(raw[-1]), names)


def _tag(model: type[BaseModel]) -> str:
    for name in ("kind", "type"):
        if name in model.model_fields:
            return str(model.model_fields[name].default)
    return {"LetTiming": "let", "AcceptanceWindow": "window"}.get(model.__name__, "")
