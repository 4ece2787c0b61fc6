"""Whether what stands under a key is of the right sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from live_crew.config._suggest import closest, one_of, shown

__all__ = ["wrong_value"]

_REFERENCE = "write `{python: module.name}`"
_MODEL_NAMES = ("model", "model_name", "deployment_name", "llm_type", "python")


def wrong_value(kind: str, value: Any) -> str | None:
    """What is wrong with a value that should be of `kind`, with the fix."""
    if "|" in kind:
        return _one_of(kind.split("|"), value)
    check = _CHECKS.get(kind)
    return check(value) if check else None


def _one_of(words: list[str], value: Any) -> str | None:
    if value in words:
        return None
    meant = closest(value.lower(), words) if isinstance(value, str) else None
    end = f"did you mean `{meant}`?" if meant else "use one of these"
    return f"{shown(value)} is none of {one_of(words)}; {end}"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"{shown(value)} is no text; write one in quotes"


def _truth(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    return f"{shown(value)} is neither true nor false; write `true` or `false`"


def _number(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return None
    return f"{shown(value)} is no whole number; write one from 0 on"


def _model(value: Any) -> str | None:
    if isinstance(value, str) and value.strip():
        return None
    if isinstance(value, dict):
        named = any(value.get(key) for key in _MODEL_NAMES)
        return None if named else "names no model; add `model: …`"
    return f"{shown(value)} is no model; write its name, such as `openai/gpt-4.1-mini`"


def _list(value: Any) -> str | None:
    return None if isinstance(value, list) else f"{shown(value)} is no list; write `[…]`"


def _names(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return None
    return f"{shown(value)} is no list of names; write `[name, …]`"


def _mapping(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    return f"{shown(value)} is no mapping; write `key: value` lines below it"


def _reference(value: Any) -> str | None:
    if isinstance(value, dict):
        return None if "python" in value else f"is no place in Python; {_REFERENCE}"
    return f"{shown(value)} names nothing that can be found; {_REFERENCE}"


def _references(value: Any) -> str | None:
    wrong = _list(value)
    return wrong or next((found for one in value if (found := _reference(one))), None)


def _guardrail(value: Any) -> str | None:
    if isinstance(value, str) or (isinstance(value, dict) and "python" in value):
        return None
    return f"{shown(value)} is no guardrail; write what has to hold, or {_REFERENCE[6:]}"


def _schema(value: Any) -> str | None:
    """Not a bare name: CrewAI drops that without a word."""
    if isinstance(value, dict):
        is_object = value.get("type") == "object" and isinstance(value.get("properties", {}), dict)
        if is_object or "python" in value or "$ref" in value:
            return None
        return "is no schema of an object; add `type: object` and `properties: …`"
    return f"{shown(value)} is no schema; {_REFERENCE}, or a JSON Schema with `type: object`"


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "text": _text,
    "truth": _truth,
    "number": _number,
    "model": _model,
    "tools": _list,
    "list": _list,
    "names": _names,
    "mapping": _mapping,
    "reference": _reference,
    "references": _references,
    "guardrail": _guardrail,
    "schema": _schema,
}
