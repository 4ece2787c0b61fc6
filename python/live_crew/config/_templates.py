"""Values with templates in them: a mistake in one is found where it is written."""

import re
from collections.abc import Iterator
from typing import Any

from live_crew._core import Template

from ._fields import JsonValue, Text, refuse, refuse_parts
from ._yaml import Where

__all__ = ["Actions", "Changes", "TemplateText", "Templates"]

# What no event and no context can give.
_UNKNOWN = re.compile(r"`: unknown (filter|function|test): ")


class Templates(JsonValue):
    """Any JSON value, in which texts may be templates."""

    def check(self, value: Any) -> Any:
        """Refuse templates that cannot be read."""
        value = super().check(value)
        refuse_parts(_mistakes(value, ()))
        return value


class Actions(Templates):
    """An action, or a list of them."""

    def check(self, value: Any) -> Any:
        """Refuse what can be no action."""
        if not isinstance(value, dict | list | tuple | str):
            refuse("is no action", "write `{kind: …, payload: …}`, or a list of these")
        return super().check(value)

    def json(self) -> dict[str, Any]:
        """For editors."""
        return {"anyOf": [{"type": "object"}, {"type": "array"}, {"type": "string"}]}


class Changes(Templates):
    """Changes of the context."""

    def check(self, value: Any) -> Any:
        """Refuse what has no keys."""
        if not isinstance(value, dict | str):
            refuse("is no change of the context", "write `key: value` lines below it")
        return super().check(value)

    def json(self) -> dict[str, Any]:
        """For editors."""
        return {"anyOf": [{"type": "object"}, {"type": "string"}]}


class TemplateText(Text):
    """A text that may be a template."""

    def check(self, value: Any) -> Any:
        """Refuse a template that cannot be read."""
        value = super().check(value)
        refuse_parts(_mistakes(value, ()))
        return value


def _mistakes(value: Any, at: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, str):
        if wrong := _mistake(value):
            yield at, f"{wrong}; correct it"
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _mistakes(one, (*at, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _mistakes(one, (*at, place))


def _mistake(text: str) -> str | None:
    try:
        made = Template(text)
    except ValueError as error:
        return str(error)
    try:
        made.render()
    except Exception as error:  # noqa: BLE001 (there is nothing yet to fill in: most cannot)
        said = str(error).partition("; it may use")[0]
        return said if _UNKNOWN.search(said) else None
    return None
