"""Answers of models and tools as JSON, and back, so that CrewAI goes on with what it had then."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import importlib
import types
import uuid
from typing import Any

from pydantic import BaseModel

__all__ = ["RecordedError", "pack", "pack_error", "unpack", "unpack_error"]

# A mapping with this key says of what type it is; one that a model wrote is kept apart.
_TYPE = "$type"
_DEEPEST = 50
_AS_TEXT = (dt.datetime, dt.date, dt.time, decimal.Decimal, uuid.UUID)


class RecordedError(RuntimeError):
    """An exception of a type that cannot be made again."""


def pack(value: Any, response_model: type[BaseModel] | None = None) -> Any:
    """A value as JSON."""
    if response_model is not None and isinstance(value, response_model):
        dumped = value.model_dump(mode="json", by_alias=True)
        if _validated(response_model, dumped) == value:
            return {_TYPE: "response", "value": dumped}
    return _pack(value, 0)


def unpack(packed: Any, response_model: type[BaseModel] | None = None) -> Any:
    """The value again. What was no data comes back as its text."""
    if isinstance(packed, list):
        return [unpack(one) for one in packed]
    if not isinstance(packed, dict):
        return packed
    if _TYPE not in packed:
        return {name: unpack(one) for name, one in packed.items()}
    kind, value = packed[_TYPE], packed["value"]
    if kind == "response":
        return value if response_model is None else response_model.model_validate(value)
    if kind in _MAKERS:
        return _MAKERS[kind](value)
    return _made(kind, value)


def pack_error(error: BaseException) -> dict[str, Any]:
    """An exception as JSON."""
    plain = (str, int, float, bool, type(None))
    state = {name: one for name, one in vars(error).items() if isinstance(one, plain)}
    args = [_pack(one, 0) for one in error.args]
    return {"class": _place(type(error)), "text": str(error), "args": args, "state": state}


def unpack_error(packed: dict[str, Any]) -> Exception:
    """An exception that says the same, of the same class if there is one still."""
    text: str = packed["text"]
    found = _find(packed["class"])
    if isinstance(found, type) and issubclass(found, Exception):
        try:
            error = found.__new__(found)
            error.args = tuple(unpack(one) for one in packed["args"])
            vars(error).update(packed["state"])
            if str(error) == text:
                return error
        except Exception:  # noqa: BLE001, S110 (some classes want what nobody has any more)
            pass
    name = str(packed["class"]).rpartition(":")[2]
    # The journal names an exception by its class: so does this one.
    made: type[RecordedError] = type(
        name.rpartition(".")[2], (RecordedError,), {"__qualname__": name}
    )
    return made(text)


# -- inside ------------------------------------------------------------------------------------


def _pack(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        if isinstance(value, enum.Enum):
            return {_TYPE: _place(type(value)), "value": value.value}
        return value
    if depth > _DEEPEST:
        return str(value)
    if isinstance(value, (list, dict)):
        return _container(value, depth)
    return _object(value, depth)


def _container(value: Any, depth: int) -> Any:
    if isinstance(value, list):
        return [_pack(one, depth + 1) for one in value]
    packed = {str(name): _pack(one, depth + 1) for name, one in value.items()}
    if _TYPE in packed or not all(isinstance(name, str) for name in value):
        pairs = [[_pack(name, depth + 1), _pack(one, depth + 1)] for name, one in value.items()]
        return {_TYPE: "dict", "value": pairs}
    return packed


def _object(value: Any, depth: int) -> Any:
    if isinstance(value, tuple) and type(value) is tuple:
        return {_TYPE: "tuple", "value": [_pack(one, depth + 1) for one in value]}
    if isinstance(value, (set, frozenset)):
        items = sorted((_pack(one, depth + 1) for one in value), key=repr)
        return {_TYPE: "set", "value": items}
    if isinstance(value, enum.Enum):
        return {_TYPE: _place(type(value)), "value": _pack(value.value, depth + 1)}
    if isinstance(value, (bytes, *_AS_TEXT)):
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
        return {_TYPE: type(value).__name__, "value": text}
    state = _state(value)
    if state is None:
        return str(value)
    fields = {str(name): _pack(one, depth + 1) for name, one in state.items()}
    return {_TYPE: _place(type(value)), "value": fields}


def _state(value: Any) -> dict[str, Any] | None:
    """The fields of what is nothing but its fields."""
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.model_extra or {})}
    if isinstance(value, types.SimpleNamespace):
        return vars(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return None


def _made(place: str, value: Any) -> Any:
    found = _find(place)
    if not isinstance(found, type):
        # Its attributes are what CrewAI asks for.
        fields = unpack(value)
        return types.SimpleNamespace(**fields) if isinstance(fields, dict) else fields
    if issubclass(found, enum.Enum):
        return found(unpack(value))
    fields = {name: unpack(one) for name, one in value.items()}
    if issubclass(found, BaseModel):
        return found.model_construct(**fields)
    made = found.__new__(found)
    for name, one in fields.items():
        object.__setattr__(made, name, one)
    return made


_MAKERS: dict[str, Any] = {
    "tuple": lambda value: tuple(map(unpack, value)),
    "set": lambda value: set(map(unpack, value)),
    "dict": lambda value: {unpack(name): unpack(one) for name, one in value},
    "bytes": base64.b64decode,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
}


def _place(thing: type) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _find(place: str) -> Any:
    """A class by its place; only classes of data and exceptions are made of what is found."""
    module, _, name = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    is_class = isinstance(found, type)
    of_data = (BaseModel, types.SimpleNamespace, enum.Enum, Exception)
    if is_class and (issubclass(found, of_data) or dataclasses.is_dataclass(found)):
        return found
    return None


def _validated(model: type[BaseModel], dumped: Any) -> Any:
    try:
        return model.model_validate(dumped)
    except ValueError:
        return None
