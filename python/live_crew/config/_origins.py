"""Where each value of a configuration came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from live_crew.errors import Problem

from ._yaml import Document, Where, dotted

__all__ = ["Origin", "Origins", "Source", "merge"]

_ALIASES = {"needs": "dependencies", "event": "kind"}


@dataclass(frozen=True)
class Source:
    """A place in a document: its top, or where something is written inline."""

    document: Document
    at: Where = ()

    def under(self, path: Where) -> Where:
        """The path in the document, with the names it uses, as deep as the document goes."""
        found: list[str | int] = []
        node: Any = self.document.data
        for part in (*self.at, *path):
            if isinstance(node, dict) and part not in node and _ALIASES.get(str(part)) in node:
                found.append(_ALIASES[str(part)])
            else:
                found.append(part)
            inside = isinstance(node, dict) and found[-1] in node
            inside = inside or (isinstance(node, list) and isinstance(part, int))
            node = node[found[-1]] if inside and _has(node, found[-1]) else None
        return tuple(found)

    def problem(self, path: Where, message: str, *, key: bool = False) -> Problem:
        """A problem at the place of a value, or of its key."""
        there = self.under(path)
        locate = self.document.locate_key if key else self.document.locate
        return Problem(message, dotted(there) or None, self.document.file, *locate(there))


@dataclass(frozen=True)
class Origin:
    """What gave a value: a file, an environment variable or a keyword."""

    kind: Literal["default", "file", "env", "keyword"]
    name: str | None = None
    source: Source | None = None


_DEFAULT = Origin("default")


@dataclass(frozen=True)
class Origins:
    """The origin of every value that is not a default. All of them are equal: values are not."""

    by_path: Mapping[Where, Origin] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[type["Origins"], tuple[()]]:
        return Origins, ()  # a copy in another process has no files to point at

    def __deepcopy__(self, _memo: object) -> "Origins":
        return self

    @property
    def source(self) -> Source | None:
        """Where the whole is written down."""
        return self.by_path.get((), _DEFAULT).source

    def of(self, path: Where) -> Origin:
        """The origin of the value at `path`, or of the closest one around it."""
        for end in range(len(path), -1, -1):
            if found := self.by_path.get(path[:end]):
                return found
        return _DEFAULT

    def problem(self, path: Where, message: str, *, key: bool = False) -> Problem:
        """A problem at `path`, named as whoever wrote the value can find it."""
        origin = self.of(path)
        if origin.source is not None:
            return origin.source.problem(path, message, key=key)
        if origin.kind == "env":
            start = max(len(at) for at, one in self.by_path.items() if one == origin)
            return Problem(message, f"{origin.name}{_rest(path[start:])}")
        return Problem(message, dotted(path) or None)

    def written(self, path: Where) -> str | None:
        """A value without quotes as it stands in a file."""
        source = self.of(path).source
        return source.document.written(source.under(path)) if source else None

    def place(self, path: Where) -> str:
        """`default`, `file:line:column`, the environment variable or `keyword`."""
        origin = self.of(path)
        if origin.source is not None:
            found = origin.source.problem(path, "")
            return str(replace(found, field=None, message=""))
        return origin.name or origin.kind


def merge(
    low: Mapping[str, Any],
    high: Mapping[str, Any],
    origin: Origin,
    by_path: dict[Where, Origin],
    at: Where = (),
) -> dict[str, Any]:
    """`high` over `low`: mappings are merged, everything else is replaced."""
    out = dict(low)
    for key, value in high.items():
        path = (*at, key)
        below = out.get(key)
        anew = path == ("llm",) or (path == ("transport",) and _is_another(below, value))
        if isinstance(value, dict) and isinstance(below, dict) and not anew:
            out[key] = merge(below, value, origin, by_path, path)
            continue
        for old in [old for old in by_path if old[: len(path)] == path]:
            del by_path[old]
        by_path[path] = origin
        out[key] = value
    return out


def _is_another(low: Any, high: Any) -> bool:
    """Whether a transport of another kind takes the place of one, with nothing left of it."""
    both = isinstance(low, dict) and isinstance(high, dict)
    return both and "kind" in high and low.get("kind") != high["kind"]


def _has(node: Any, part: str | int) -> bool:
    return part in node if isinstance(node, dict) else isinstance(part, int) and part < len(node)


def _rest(path: Where) -> str:
    text = dotted(path)
    return f".{text}" if text and not text.startswith("[") else text
