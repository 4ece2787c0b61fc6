"""YAML with the place of every value, read so that no file can do harm."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import BaseResolver

from live_crew.errors import ConfigError, Problem

from ._file import read_text, shown_file
from ._suggest import shown

__all__ = ["Document", "Json", "Where", "dotted", "load", "parse", "trap"]

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
Where = tuple[str | int, ...]

_MOST_VALUES = 200_000
_DEEPEST = 50
_LONGEST_NUMBER = 300
_CORE = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """A YAML document: its data, and where each part of it stands."""

    file: str
    data: Json
    root: Node | None
    problems: tuple[Problem, ...] = ()

    def locate(self, path: Where) -> tuple[int, int]:
        """Line and column of the value at `path`, or of what comes closest to it, from 1."""
        node = self.root
        for node in self._walk(path):  # noqa: B007 - the last one counts
            pass
        return _place(node.start_mark) if node else (1, 1)

    def locate_key(self, path: Where) -> tuple[int, int]:
        """Line and column of the last key of `path`; of its value, if it stands in a list."""
        *_, parent = (None, *self._walk(path[:-1]))
        if isinstance(parent, MappingNode):
            for key, _ in parent.value:
                if key.value == path[-1]:
                    return _place(key.start_mark)
        return self.locate(path)

    def written(self, path: Where) -> str | None:
        """A scalar without quotes as it stands in the file."""
        nodes = list(self._walk(path))
        if len(nodes) <= len(path) or not isinstance(nodes[-1], ScalarNode):
            return None
        return None if nodes[-1].style else nodes[-1].value

    def _walk(self, path: Where) -> Iterator[Node]:
        node = self.root
        if node is not None:
            yield node
        for part in path:
            if isinstance(node, MappingNode):
                node = next((value for key, value in node.value if key.value == part), None)
            elif isinstance(node, SequenceNode) and isinstance(part, int):
                node = node.value[part] if part < len(node.value) else None
            else:
                node = None
            if node is None:
                return
            yield node


def load(path: str | os.PathLike[str]) -> Document:
    """Reads the YAML file at `path`; raises `ConfigError` if there is nothing to work with."""
    return parse(read_text(path), shown_file(path))


def parse(text: str, file: str) -> Document:
    """Reads one YAML document out of `text`; `file` is what messages call it."""
    try:
        root = _Loader(text).get_single_node()
        builder = _Builder(file)
        data = builder.build(root, ()) if root is not None else None
    except _RefusedError as refused:
        error = Problem(str(refused), None, file, *_place(refused.mark))
        raise ConfigError(problems=[error]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = Problem(_explain(error, text), None, file, *_place(mark))
        raise ConfigError(problems=[problem]) from None
    except yaml.reader.ReaderError:
        bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
        before = text[: bad.start()] if bad else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problem = Problem(
            "a character that YAML does not allow; remove it", None, file, line, column
        )
        raise ConfigError(problems=[problem]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        problem = Problem("is not YAML; check the file with `live-crew validate`", None, file, 1, 1)
        raise ConfigError(problems=[problem]) from None
    return Document(file, data, root, tuple(builder.problems))


class _RefusedError(Exception):
    """YAML that is right, and too much."""

    def __init__(self, message: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.mark = mark


class _Resolver(BaseResolver):
    """YAML 1.1 as everybody's loaders read it; dates, `1:30` and `0500` stay texts."""


_INT = r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|0|[1-9][0-9_]*)"
_FLOAT = (
    r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
    r"|\.[0-9]+([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_BOOL = "|".join(form for word in _TRUTH for form in (word, word.title(), word.upper()))
for _tag, _pattern, _first in (
    ("bool", _BOOL, "yYnNtTfFoO"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", "~|null|Null|NULL|", ("~", "n", "N", "")),
    ("merge", "<<", "<"),
):
    _Resolver.add_implicit_resolver(_CORE + _tag, re.compile(f"^(?:{_pattern})$"), list(_first))


class _Nodes(Composer):
    """Composes in Python over whichever parser there is, and counts how deep it is."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = cast("Any", self).peek_event().start_mark
            raise _RefusedError(f"nests deeper than {_DEEPEST} levels; flatten it", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _Loader(_Nodes, CParser, _Resolver):
        """Ten times as fast as the other one."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            _Resolver.__init__(self)

else:

    class _Loader(  # type: ignore[no-redef]
        yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, _Nodes, _Resolver
    ):
        """Reads where libyaml is not there."""

        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            Composer.__init__(self)
            _Resolver.__init__(self)


class _Builder:
    """Turns nodes into data. Problems that leave something to go on with are collected."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._values = 0
        self._open: set[int] = set()
        self._flat: set[int] = set()

    def build(self, node: Node, path: Where) -> Json:
        self._values += 1
        if self._values > _MOST_VALUES:
            most = f"holds more than {_MOST_VALUES} values, aliases written out; split it"
            raise _RefusedError(most, node.start_mark)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise _RefusedError(
                "an alias stands inside of what it names; remove it", node.start_mark
            )
        sort = "map" if isinstance(node, MappingNode) else "seq"
        if node.tag != _CORE + sort:
            self._refuse_tag(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                self._flatten(node, path)
                return {
                    key.value: self.build(value, (*path, key.value)) for key, value in node.value
                }
            return [self.build(item, (*path, at)) for at, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: ScalarNode, path: Where) -> Json:
        make = _SCALARS.get(node.tag.removeprefix(_CORE))
        if make is None:
            self._refuse_tag(node, path)
            return str(node.value)
        try:
            return make(node.value)
        except (ValueError, OverflowError, KeyError):
            self._report("a number too long to read; put it in quotes", path, node)
            return None

    def _flatten(self, node: MappingNode, path: Where) -> None:
        """Resolves merge keys and checks that keys are texts, each there once."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._report("a key is a mapping or a list; use a text", path, key)
            elif key.tag == _CORE + "merge":
                for name, pair in self._merged(value, path):
                    merged.setdefault(name, pair)
            elif key.value in own:
                line = own[key.value][0].start_mark.line + 1
                twice = f"is there twice, first in line {line}; remove one"
                self._report(twice, (*path, key.value), key)
            else:
                if key.tag != _CORE + "str":
                    self._report(trap(key.value, self._scalar(key, path)), (*path, key.value), key)
                own[key.value] = (key, value)
        node.value = list((merged | own).values())

    def _merged(self, node: Node, path: Where) -> Iterator[tuple[str, tuple[ScalarNode, Node]]]:
        for one in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(one, MappingNode):
                self._report("`<<` merges mappings only; give it an alias of one", path, one)
            elif id(one) in self._open:
                raise _RefusedError(
                    "an alias stands inside of what it names; remove it", one.start_mark
                )
            else:
                self._open.add(id(one))
                self._flatten(one, path)
                self._open.discard(id(one))
                yield from ((key.value, (key, value)) for key, value in one.value)

    def _refuse_tag(self, node: Node, path: Where) -> None:
        tag = f"tag {shown('!!' + node.tag.removeprefix(_CORE))}" if _CORE in node.tag else "a tag"
        self._report(f"{tag} is not allowed; remove it, or put the value in quotes", path, node)

    def _report(self, message: str, path: Where, node: Node) -> None:
        line, column = _place(node.start_mark)
        self.problems.append(Problem(message, dotted(path) or None, self.file, line, column))


def trap(written: str | None, value: Json) -> str:
    """Says how YAML reads a text without quotes that was not meant so; a secret is not named."""
    if written == "":
        return "is empty; give it a value or remove the line"
    word = {None: "nothing", True: "true", False: "false"}.get(cast("Any", value), "a number")
    if isinstance(value, int | float) and not isinstance(value, bool):
        word = "a number"
    if written is None:
        return f"is read by YAML as {word}; put it in quotes"
    return f'{shown(written)} is read by YAML as {word}; put it in quotes: "{shown(written)[1:-1]}"'


def dotted(path: Where) -> str:
    """A path as messages name it: `crews[0].path`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _int(text: str) -> int:
    text = text.replace("_", "")
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(text)
    digits = text.lstrip("+-")
    return int(text, {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2], 10))


def _float(text: str) -> float:
    text = text.replace("_", "").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Json]] = {
    "str": str,
    "int": _int,
    "float": _float,
    "null": lambda _: None,
    "bool": lambda text: _TRUTH[text.lower()],
    "!": str,
}


def _place(mark: yaml.Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    """A syntax error in our words where we know better, without what stands in the line."""
    problem = error.problem or "is not YAML"
    mark = error.problem_mark
    lines = text.split("\n")
    before = lines[mark.line][: mark.column + 1] if mark and mark.line < len(lines) else ""
    if "\t" in before and "cannot start any token" in problem:
        return "a tab; YAML is indented with spaces, replace it"
    if "mapping values are not allowed" in problem:
        return "a `:` where no mapping can begin; check the indent, or put the value in quotes"
    if "expected a single document" in str(error.context or problem):
        return "a second document begins; keep one in a file"
    for bracket, what in (("]", "list"), ("}", "mapping")):
        if f"',' or '{bracket}'" in problem:
            return (
                f"a {what} that was opened goes on; add `{bracket}`, or `,` before the next entry"
            )
    if "undefined alias" in problem:
        return "an alias of nothing; define it above with `&`, or put the value in quotes"
    return f"{problem}; check the brackets, quotes and indent around it"
