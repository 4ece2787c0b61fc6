"""Events and actions whose payload has a type: `Event[Signup]`, and what pydantic needs of them.

Of the models only this imports pydantic, and only when a payload has a type or somebody asks for a
schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from live_crew._core import Action, Event, TypedPayload
from live_crew._readable import Look, field_that_fails, has_mask, look_at
from live_crew.errors import ModelError

if TYPE_CHECKING:
    from pydantic import (
        GetCoreSchemaHandler,
        GetJsonSchemaHandler,
        SerializationInfo,
        TypeAdapter,
    )
    from pydantic_core import CoreSchema

__all__ = ["TypedModel", "check", "core_schema", "dump", "json_schema"]

_PAYLOAD = 3
"""Where the payload stands among the arguments of a model."""

_LOOSE = (Any, object, dict, list, tuple)
"""Types that say nothing about what is inside, so that pydantic would have to guess its JSON."""

_MOST_ERRORS = 5

T = TypeVar("T")


class TypedModel(GenericAlias):
    """`Event[T]` or `Action[T]`: makes models whose payload is a `T`.

    What it makes is an `Event`: the type belongs to the payload, not to the class.
    """

    def __call__(self, *args: Any, **fields: Any) -> Any:
        of = self.__live_crew_payload__
        if len(args) > _PAYLOAD:
            args = (*args[:_PAYLOAD], check(of, args[_PAYLOAD]), *args[_PAYLOAD + 1 :])
        else:
            fields["payload"] = check(of, fields.get("payload"))
        return self._model(*args, **fields)

    @property
    def _model(self) -> Any:
        return self.__origin__

    @property
    def __live_crew_payload__(self) -> Any:
        """The type of the payload: what tells a typed model from every other hint."""
        return self.__args__[0]

    def create(self, kind: str, payload: Any = None, **fields: Any) -> Any:
        """`Action.create` with a payload that is checked."""
        return self._model.create(kind, check(self.__live_crew_payload__, payload), **fields)

    def from_event(self, event: Event[Any], kind: str, payload: Any = None, **fields: Any) -> Any:
        """`Action.from_event` with a payload that is checked."""
        payload = check(self.__live_crew_payload__, payload)
        return self._model.from_event(event, kind, payload, **fields)

    def model_validate(self, obj: Any) -> Any:
        """Read a model or a mapping; a model keeps its bytes, and shows its payload as a `T`."""
        of = self.__live_crew_payload__
        if isinstance(obj, self._model):
            known, json = obj._payload()  # noqa: SLF001 (ours)
            return obj if known == of else obj._typed(of, _read(of, json))  # noqa: SLF001
        if isinstance(obj, Mapping) and "payload" in obj:
            obj = {**obj, "payload": check(of, obj["payload"])}
        return self._model.model_validate(obj)

    def model_validate_json(self, json_data: str | bytes) -> Any:
        """Read JSON, then the payload in it."""
        return self.model_validate(self._model.model_validate_json(json_data))

    def model_json_schema(self) -> dict[str, Any]:
        """The JSON Schema, with that of the payload in it."""
        return json_schema(self._model, self.__live_crew_payload__)

    def __getitem__(self, item: Any) -> TypedModel:
        return TypedModel(self._model, super().__getitem__(item).__args__)

    def __getattribute__(self, name: str) -> Any:
        # An alias passes attributes on to its origin, which knows nothing of the type.
        if name in _OWN:
            return object.__getattribute__(self, name)
        return super().__getattribute__(name)


_OWN = {name for name in vars(TypedModel) if name[:2] != "__"} | {"__live_crew_payload__"}


def check(of: Any, value: Any) -> TypedPayload:
    """Make a `T` of the payload given in Python."""
    adapter = _adapter(of)
    try:
        payload = adapter.validate_python(value)
    except ValueError as error:
        raise _refused(error) from error
    plain = payload if _is_loose(of) else _written(of, adapter, payload)
    return TypedPayload(of, payload, plain)


def dump(of: Any, payload: Any) -> Any:
    """What `model_dump` gives for a payload that is a `T`."""
    return _adapter(of).dump_python(payload)


def json_schema(model: Any, of: Any = Any) -> dict[str, Any]:
    """Give the JSON Schema of a model whose payload is a `T`."""
    payload = {} if of is Any else _adapter(of).json_schema()
    definitions = payload.pop("$defs", None)
    schema = _json_schema(model, payload)
    return schema if definitions is None else {**schema, "$defs": definitions}


def core_schema(model: Any, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Let a model be a field of a pydantic model; `source` is the field's type as written."""
    typed = source if isinstance(source, TypedModel) else model
    return handler.generate_schema(Annotated[Any, _Field(typed)])


@dataclass(frozen=True)
class _Field:
    """A field of a pydantic model: read as a model, a mapping or JSON, written as a mapping."""

    model: Any

    def read(self, value: Any) -> Any:
        if isinstance(value, (str, bytes, bytearray)):
            return self.model.model_validate_json(value)
        return self.model.model_validate(value)

    @staticmethod
    def write(value: Any, info: SerializationInfo) -> dict[str, Any]:
        dumped: dict[str, Any] = value.model_dump(mode="json" if info.mode == "json" else "python")
        return dumped

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema as make

        write = make.plain_serializer_function_ser_schema(self.write, info_arg=True)
        return make.no_info_plain_validator_function(self.read, serialization=write)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if not isinstance(self.model, TypedModel):
            return _json_schema(self.model, {})
        payload = handler(_adapter(self.model.__args__[0]).core_schema)
        return _json_schema(self.model.__origin__, payload)


def _written(of: Any, adapter: TypeAdapter[Any], payload: Any) -> Any:
    """What is written of a payload, out of which its handler is to get it back."""
    look = _look(of)
    try:
        plain = adapter.dump_python(payload, mode="json", by_alias=True)
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{field_that_fails(adapter, payload)}: bytes that are no UTF-8 text; "
            "add `ser_json_bytes='base64', val_json_bytes='base64'` to the `model_config`"
        ) from error
    except ValueError as error:
        raise ModelError(f"{field_that_fails(adapter, payload)}: {error}") from error
    if look.secret is not None and has_mask(plain):
        raise ModelError(
            f"{look.secret}: is a secret, and all its handler would get is asterisks; send what "
            "it is found by, make it a `str`, or write it out with a `@field_serializer`"
        )
    if not look.is_sure:
        _check_reads_back(of, adapter, payload)
    return plain


def _check_reads_back(of: Any, adapter: TypeAdapter[Any], payload: Any) -> None:
    """Else the run of a handler of this type would fail, after the event was written."""
    try:
        # What there is to warn of was warned of as it was dumped.
        adapter.validate_json(adapter.dump_json(payload, by_alias=True, warnings=False))
    except ValueError as error:
        raise ModelError(
            f"{_refused(error)}: `{getattr(of, '__name__', of)}` cannot be read back from the JSON "
            "that is written of it; have it write each field under the name it reads "
            "(one `alias`, no `exclude`), and no `computed_field` where `extra` is forbidden"
        ) from error


def _read(of: Any, json: bytes) -> Any:
    """Make a `T` of a payload that is JSON already."""
    try:
        return _adapter(of).validate_json(json)
    except ValueError as error:
        raise _refused(error) from error


def _once(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """Make it once for each type, if the type can be remembered."""
    known = lru_cache(maxsize=1024)(make)

    def made(of: Any) -> T:
        try:
            return known(of)
        except TypeError as error:
            if "unhashable" not in str(error):
                raise
            return make(of)

    return made


@_once
def _adapter(of: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(of)


@_once
def _look(of: Any) -> Look:
    return look_at(_adapter(of))


def _is_loose(of: Any) -> bool:
    return of in _LOOSE or any(_is_loose(part) for part in get_args(of))


def _refused(error: ValueError) -> ModelError:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return ModelError(f"payload: {error}")
    found = error.errors(include_url=False, include_context=False)
    told = [_told(each) for each in found[:_MOST_ERRORS]]
    if len(found) > _MOST_ERRORS:
        told.append(f"and {len(found) - _MOST_ERRORS} more")
    return ModelError("; ".join(told))


def _told(each: Mapping[str, Any]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in each["loc"])
    message = each["msg"][:1].lower() + each["msg"][1:]
    place = f"payload{''.join(steps)}: {message}"
    return place if each["type"] == "missing" else f"{place}, found `{each['input']!r:.60}`"


def _json_schema(model: Any, payload: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    optional = {"anyOf": [text, {"type": "null"}], "default": None}
    properties: dict[str, Any] = {
        "ts": {"type": "string", "format": "date-time"},
        "kind": {"type": "string", "pattern": "^(?!__)[A-Za-z0-9_]{1,50}$"},
        "stream_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
        "payload": payload,
    }
    if model is Action:
        properties["ttl_ms"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": 300_000,
            "default": 5_000,
        }
    for name in ("id", "correlation_id", "transaction_id", "causation_id", "traceparent"):
        properties[name] = optional
    required = ["kind", "payload"] if model is Action else list(properties)[: _PAYLOAD + 1]
    return {
        "title": model.__name__,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
