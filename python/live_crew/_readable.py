"""Whether a payload comes back from its JSON: a journal and a handler have nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Look", "field_that_fails", "has_mask", "look_at"]

_MASK = "*" * 10
"""What pydantic writes for a secret."""


@dataclass(frozen=True)
class Look:
    """What one look at a type tells of all its payloads."""

    secret: str | None
    """A secret in it, which is written as asterisks unless it has a serializer of its own."""
    is_sure: bool
    """Whether each payload can be read back, so that nobody has to try."""


def look_at(adapter: TypeAdapter[Any]) -> Look:
    """Look at a type, once: to make its schemas takes longer than a thousand payloads."""
    try:
        read, written = (_schema(adapter, mode) for mode in ("validation", "serialization"))
    except Exception:  # noqa: BLE001 (a type without a schema may raise anything)
        return Look(secret=None, is_sure=False)
    is_sure = read == written and not _has_functions(adapter.core_schema)
    return Look(secret=_secret(written, "payload"), is_sure=is_sure)


def field_that_fails(adapter: TypeAdapter[Any], payload: Any) -> str:
    """The field of a payload that cannot be written as JSON, as far as it is known."""
    for name in getattr(type(payload), "model_fields", ()):
        try:
            adapter.dump_python(payload, mode="json", include={name})
        except ValueError:  # noqa: PERF203 (this is an error's own path)
            return f"payload.{name}"
    return "payload"


def has_mask(plain: Any) -> bool:
    """Whether the asterisks of a secret are in what is written."""
    if isinstance(plain, dict):
        return any(map(has_mask, plain.values()))
    if isinstance(plain, list):
        return any(map(has_mask, plain))
    return bool(plain == _MASK)


def _schema(adapter: TypeAdapter[Any], mode: Any) -> dict[str, Any]:
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        # Nobody asked for this schema, so nobody is warned about it.
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    return adapter.json_schema(mode=mode, schema_generator=Quiet)


def _has_functions(schema: Any) -> bool:
    """Whether somebody's code takes part in reading or writing: no schema tells what it does."""
    if isinstance(schema, dict):
        if str(schema.get("type")).startswith("function-") or "serialization" in schema:
            return True
        return any(_has_functions(part) for key, part in schema.items() if key != "metadata")
    return isinstance(schema, (list, tuple)) and any(map(_has_functions, schema))


def _secret(schema: Any, name: str) -> str | None:
    return next(_secrets(schema, name), None)


def _secrets(schema: Any, name: str) -> Iterator[str]:
    """The names of what is said to be only written, by the title of its model."""
    if isinstance(schema, list):
        for part in schema:
            yield from _secrets(part, name)
    elif isinstance(schema, dict):
        if schema.get("writeOnly") is True:
            yield name
        properties = schema.get("properties", {})
        for key, part in properties.items():
            yield from _secrets(part, f"{schema.get('title', 'payload')}.{key}")
        for key, part in schema.items():
            if key not in ("properties", "default", "examples"):
                yield from _secrets(part, name)
