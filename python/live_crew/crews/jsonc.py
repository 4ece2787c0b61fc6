"""JSON with comments and trailing commas, read with the place of every value."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from live_crew.config._suggest import shown
from live_crew.config._yaml import Document, Json, Where, dotted
from live_crew.errors import ConfigError, Problem

__all__ = ["parse"]

_DEEPEST = 50
_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[^\s,:\[\]{}\"/]+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,299})(?:\.\d+)?(?:[eE][+-]?\d+)?")
_decoder = json.JSONDecoder()
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}


def parse(text: str, file: str) -> Document:
    """Reads one JSON value out of `text`; `file` is what messages call it."""
    reader = _Reader(text, file)
    data, root = reader.value(())
    if reader.next():
        reader.fail("goes on after its end; remove the rest")
    return Document(file, data, root, tuple(reader.problems))


class _Reader:
    """Reads values one after the other; keys that are there twice are collected."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.at = 0
        self.problems: list[Problem] = []
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def next(self) -> str:
        """The character that comes next, comments and white space left out; `""` is the end."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        if self.text.startswith("/*", self.at):
            self.fail("a comment that is opened and goes on; add `*/`")
        return self.text[self.at : self.at + 1]

    def value(self, path: Where) -> tuple[Json, Node]:
        first = self.next()
        if len(path) > _DEEPEST:
            self.fail(f"nests deeper than {_DEEPEST} levels; flatten it")
        if first == "{":
            return self._mapping(path)
        if first == "[":
            return self._list(path)
        start = self._mark()
        data = self._string() if first == '"' else self._word()
        return data, ScalarNode("", str(data), start, None, '"' if first == '"' else None)

    def fail(self, message: str) -> NoReturn:
        mark = self._mark()
        problem = Problem(message, None, self.file, mark.line + 1, mark.column + 1)
        raise ConfigError(problems=[problem])

    def _mapping(self, path: Where) -> tuple[Json, Node]:
        node = MappingNode("", [], self._mark(), None)
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        self.at += 1
        while self._goes_on("}", "mapping", opened=not data):
            if self.next() != '"':
                self.fail("a key that is no text; put it in double quotes")
            mark = self._mark()
            key = self._string()
            if self.next() != ":":
                self.fail(f"`:` is missing after the key `{key}`; add it")
            self.at += 1
            if key in first:
                twice = f"is there twice, first in line {first[key]}; remove one"
                place = (self.file, mark.line + 1, mark.column + 1)
                self.problems.append(Problem(twice, dotted((*path, key)), *place))
            first.setdefault(key, mark.line + 1)
            data[key], value = self.value((*path, key))
            node.value.append((ScalarNode("", key, mark, None, '"'), value))
        return data, node

    def _list(self, path: Where) -> tuple[Json, Node]:
        node = SequenceNode("", [], self._mark(), None)
        data: list[Any] = []
        self.at += 1
        while self._goes_on("]", "list", opened=not data):
            item, value = self.value((*path, len(data)))
            data.append(item)
            node.value.append(value)
        return data, node

    def _goes_on(self, closing: str, what: str, *, opened: bool) -> bool:
        """Whether another entry comes; a comma before the end is allowed."""
        comma = not opened and self.next() == ","
        self.at += comma
        if self.next() == closing:
            self.at += 1
            return False
        if not (comma or opened) or not self.next():
            self.fail(f"a {what} that was opened goes on; add `{closing}`, or `,` before this")
        return True

    def _string(self) -> str:
        start = self._mark()
        try:
            text, self.at = _decoder.raw_decode(self.text, self.at)
            str(text).encode()
        except json.JSONDecodeError as error:
            self.at = error.pos
            if "escape" in error.msg:
                self.fail("a `\\` that begins nothing; write `\\\\` for itself")
            self.at = start.index
            self.fail("a text that goes on beyond its line; close it with a double quote")
        except UnicodeEncodeError:
            self.at = start.index
            self.fail("a text with half a character; write both halves of `\\u…`")
        return str(text)

    def _word(self) -> Json:
        found = _WORD.match(self.text, self.at)
        word = found[0] if found else ""
        if not word:
            self.fail("a value is missing; add one")
        if word not in _WORDS and not _NUMBER.fullmatch(word):
            self.fail(f"{shown(word)} is no value of JSON; write texts in double quotes")
        self.at += len(word)
        return _WORDS[word] if word in _WORDS else json.loads(word)

    def _mark(self) -> yaml.Mark:
        line = bisect_right(self._lines, self.at) - 1
        return yaml.Mark(self.file, self.at, line, self.at - self._lines[line], None, 0)
