"""What `llm` can say: the model that stands in for those of a crew."""

from collections.abc import Mapping
from typing import Any

from ._fields import JsonValue, refuse
from ._suggest import shown

__all__ = ["Llm"]

_WAYS = ("model", "script", "python")
_FIX = (
    "give the name of a model such as `openai/gpt-4o-mini`, a mapping with `model`, "
    "`{script: answers.yaml}` or `{python: module:name}`"
)


class Llm(JsonValue):
    """A name, a mapping for `crewai.LLM`, a script of answers, or a place in Python."""

    def check(self, value: Any) -> Any:
        """Refuse what names no model."""
        if isinstance(value, str) and value.strip():
            return value
        if not isinstance(value, Mapping):
            refuse("names no model", _FIX)
        ways = [way for way in _WAYS if way in value]
        if len(ways) != 1:
            refuse("names no model" if not ways else "names more than one model", _FIX)
        way = ways[0]
        if not isinstance(value[way], str) or not value[way].strip():
            refuse(f"has {shown(value[way])} as `{way}`", _FIX)
        if way != "model" and len(value) > 1:
            more = ", ".join(f"`{key}`" for key in value if key != way)
            refuse(f"says {more} beside `{way}`", "remove one")
        return dict(value)

    def json(self) -> dict[str, Any]:
        """Either way in the schema."""
        text = {"type": "string", "minLength": 1}
        ways = [{"type": "object", "required": [way], "properties": {way: text}} for way in _WAYS]
        return {"anyOf": [text, *ways]}
