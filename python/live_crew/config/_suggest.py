"""How messages show what they are about: values, and the name that was probably meant."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "MASK",
    "closest",
    "closest_file",
    "did_you_mean",
    "is_secret",
    "mask",
    "one_of",
    "shown",
]

MASK = "[redacted]"

_SECRETS = ("key", "token", "secret", "password", "authorization", "creds")
# Up to the last `@`, since a secret may hold any character; an address may have no scheme.
_USER_INFO = re.compile(r"(://|^(?=[^\s/@:]+:(?!//)))\S*@")
_LONGEST = 60
_HUGE = 10**20


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name closest to `word`, if one is close enough to be what was meant."""
    far = max(1, -(-len(word) // 3))
    near = [(_distance(word, name), name) for name in names if abs(len(name) - len(word)) <= far]
    return min((found for found in near if found[0] <= far), default=(0, None))[1]


def closest_file(name: str, there: Iterable[str]) -> str | None:
    """The file closest to `name`; what follows the first dot does not count."""
    by_stem = {one.partition(".")[0]: one for one in sorted(there, reverse=True)}
    return by_stem.get(closest(name.partition(".")[0], by_stem) or "")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The end of a message: what was probably meant, or what there is."""
    names = sorted(names)
    if meant := closest(word, names):
        return f"did you mean `{meant}`?"
    return f"use {one_of(names)}" if names else "remove it"


def one_of(names: Iterable[str]) -> str:
    """`a`, `b` or `c`."""
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} or {last}" if most else last


def is_secret(name: str) -> bool:
    """Whether values under this name are kept out of everything shown."""
    return any(word in name.lower() for word in _SECRETS)


def mask(value: Any) -> Any:
    """`value` without the passwords in addresses and under names that tell of secrets."""
    if isinstance(value, str):
        return _USER_INFO.sub(rf"\1{MASK}@", value)
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(str(key)) else mask(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [mask(one) for one in value]
    return value


def shown(value: object) -> str:
    """A value as a message names it: short, on one line, without secrets."""
    if isinstance(value, str):
        return f"`{_line(mask(value))}`"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value) if abs(value) < _HUGE or isinstance(value, float) else "a huge number"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a `{type(value).__name__}`"


def _line(text: str) -> str:
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _distance(a: str, b: str) -> int:
    """Edits between two words; two neighbours swapped are one edit."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
