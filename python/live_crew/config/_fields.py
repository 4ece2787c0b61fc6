"""The sorts of values there are in configuration: what each takes, and how it refuses the rest."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ._suggest import closest, one_of
from ._yaml import Where, dotted

__all__ = [
    "U32",
    "Choice",
    "JsonValue",
    "Name",
    "Section",
    "Text",
    "Whole",
    "refuse",
    "refuse_parts",
    "wants_text",
]

U32 = (1 << 32) - 1
_DEEPEST_JSON = 100


class Section(BaseModel):
    """A mapping of the configuration: every key known, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def refuse(said: str, fix: str, *, text: bool = False) -> NoReturn:
    """Refuses the value at hand: the message is the value, what is `said` of it, and the `fix`."""
    raise PydanticCustomError(
        "bad_text" if text else "bad_value", "{said}; {fix}", {"said": said, "fix": fix}
    )


def refuse_parts(parts: Iterable[tuple[Where, str]]) -> None:
    """Refuses values that do not go together, each message at its place below this one."""
    if found := tuple(parts):
        said = "; ".join(f"{dotted(at)}: {message}" for at, message in found)
        raise PydanticCustomError("bad_parts", "{said}", {"said": said, "parts": found})


class _Sort:
    """What a type is annotated with to be checked by `check` alone."""

    is_text: ClassVar[bool] = False

    def check(self, value: Any) -> Any:
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json()


@dataclass(frozen=True)
class Whole(_Sort):
    """A whole number within bounds. `true` is none, and neither is `500.0`."""

    low: int
    high: int
    unit: str = ""

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse("is no whole number", self._fix())
        if value < self.low:
            refuse(f"is less than {self.low}", self._fix())
        if value > self.high:
            refuse(f"is more than {self.high}", self._fix())
        return value

    def _fix(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        if self.high >= U32 and self.low in {0, 1}:
            return f"use {self.low} or more{unit}"
        return f"use {self.low} to {self.high}{unit}"

    def json(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Flag(_Sort):
    """`true` or `false`."""

    def check(self, value: Any) -> bool:
        return value if isinstance(value, bool) else refuse("is neither", "use `true` or `false`")

    def json(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(_Sort):
    """A text that is not empty; `secret` ones are kept from being shown."""

    what: str = "a text"
    secret: bool = False
    is_text: ClassVar[bool] = True

    def check(self, value: Any) -> str | SecretStr:
        if isinstance(value, SecretStr) and self.secret:
            return value
        if not isinstance(value, str):
            refuse("is no text", f"give {self.what}", text=True)
        if not value:
            refuse("is empty", f"give {self.what}")
        if "\0" in value or not _is_utf8(value):
            refuse("has characters that are not allowed", f"give {self.what}")
        return SecretStr(value) if self.secret else value

    def json(self) -> dict[str, Any]:
        secret = {"writeOnly": True} if self.secret else {}
        return {"type": "string", "minLength": 1, **secret}


@dataclass(frozen=True)
class Name(_Sort):
    """A text of a pattern."""

    what: str
    pattern: str
    rule: str
    reserved: bool = False
    is_text: ClassVar[bool] = True

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            refuse(f"is no {self.what}", f"use {self.rule}", text=True)
        if self.reserved and value.startswith("__"):
            refuse("is reserved: `__` belongs to live-crew", "use another name")
        if not re.fullmatch(self.pattern, value, re.ASCII):
            refuse(f"is no {self.what}", f"use {self.rule}")
        return value

    def json(self) -> dict[str, Any]:
        start = "^(?!__)" if self.reserved else "^"
        return {"type": "string", "pattern": f"{start}{self.pattern}$"}


class Choice(_Sort):
    """One of the words of a `Literal`."""

    is_text: ClassVar[bool] = True

    def __get_pydantic_core_schema__(
        self, source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        words = get_args(source)
        return core_schema.no_info_plain_validator_function(
            lambda value: choose(value, words), metadata={"words": list(words)}
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        words: list[str] = schema["metadata"]["words"]
        return {"type": "string", "enum": words}


class JsonValue(_Sort):
    """Any JSON value."""

    def check(self, value: Any) -> Any:
        return _json(value, _DEEPEST_JSON)

    def json(self) -> dict[str, Any]:
        return {}


def choose(value: Any, words: Iterable[str]) -> str:
    """`value` if it is one of `words`."""
    words = tuple(words)
    if not isinstance(value, str):
        refuse(f"is none of {one_of(words)}", "use one of them", text=True)
    if value not in words:
        meant = closest(value, words)
        refuse(
            f"is none of {one_of(words)}",
            f"did you mean `{meant}`?" if meant else "use one of them",
        )
    return value


def wants_text(annotation: Any, metadata: Iterable[Any]) -> bool:
    """Whether a field takes texts only, so that an environment variable is taken as it stands."""
    if get_origin(annotation) in (tuple, dict):
        return False
    marks = [*metadata, *(mark for arg in (annotation, *get_args(annotation))
                          for mark in getattr(arg, "__metadata__", ()))]  # fmt: skip
    return any(isinstance(mark, _Sort) and mark.is_text for mark in marks)


def _json(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value if _is_utf8(value) else refuse("is no Unicode text", "remove the surrogates")
    if isinstance(value, float):
        return value if math.isfinite(value) else refuse("is no JSON number", "use a finite one")
    if depth == 0:
        refuse("nests too deep", f"use at most {_DEEPEST_JSON} levels")
    if isinstance(value, list | tuple):
        return [_json(item, depth - 1) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or not _is_utf8(key):
                refuse("has a key that is no text", "use texts as keys")
        return {key: _json(item, depth - 1) for key, item in value.items()}
    return refuse("is no JSON value", "use texts, numbers, lists and mappings")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
