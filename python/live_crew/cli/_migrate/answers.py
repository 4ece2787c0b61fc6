"""What a handler returns, as its code says: kinds, payloads, and an example of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from live_crew.cli._migrate.source import Source, constant

__all__ = ["Answer", "read_answers"]

# How a value is told, and the nodes, types of literals, methods and functions that tell it.
_TEXTS = (
    "format",
    "join",
    "upper",
    "lower",
    "strip",
    "title",
    "capitalize",
    "replace",
    "isoformat",
)
_SORTS: list[tuple[str, Any, Any, tuple[str, ...], tuple[str, ...]]] = [
    ("a text", ast.JoinedStr, str, _TEXTS, ("str",)),
    ("true or false", ast.Compare, bool, (), ("bool", "any", "all")),
    ("a number", (), (int, float), (), ("len", "sum", "int", "float", "round", "abs")),
    ("a list", (ast.List, ast.Tuple, ast.ListComp), (), (), ("list", "sorted", "tuple")),
]
_MOST_LOOKED_UP = 8  # names that stand for names


@dataclass(frozen=True)
class Answer:
    """One action that a handler may return."""

    kind: str | None  # that of the crew, if it names none; empty if it is computed
    payload: str  # what it is, in words: `a text`, `holding `user` and `text``
    example: Any


def read_answers(source: Source) -> tuple[list[Answer], bool]:
    """The actions a function may return, and whether it may return none."""
    if source.function is None:
        return [], False
    reader = _Reader(source)
    returns = list(_own(source.function, ast.Return))
    found = [one for node in returns for one in reader.answers(node.value, node)]
    different = list({(one.kind, one.payload): one for one in found if one is not None}.values())
    falls_off = not isinstance(source.function.body[-1], ast.Return | ast.Raise)
    return different, None in found or falls_off


def _own(function: ast.AST, *types: type) -> Iterator[Any]:
    """Nodes of a function that are not those of a function in it."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, types):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _own(node, *types)


class _Reader:
    """Looks through names of the function to what they stand for."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.named: dict[str, list[ast.expr]] = {}
        self.appended: dict[str, list[ast.expr]] = {}
        for node in _own(source.function, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call):  # type: ignore[arg-type]
            self._take(node)

    def _take(self, node: Any) -> None:
        if isinstance(node, ast.Call):
            call = node.func
            if not isinstance(call, ast.Attribute) or call.attr != "append":
                return
            if isinstance(call.value, ast.Name) and len(node.args) == 1:
                self.appended.setdefault(call.value.id, []).append(node.args[0])
            return
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and node.value is not None:
                self.named.setdefault(target.id, []).append(node.value)

    def answers(self, node: ast.expr | None, at: ast.AST) -> Iterator[Answer | None]:
        """The actions of a value that is returned; `None` stands for none."""
        name = node.id if isinstance(node, ast.Name) else None
        node = self._look(node)
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            yield None
        elif isinstance(node, ast.IfExp):
            yield from self.answers(node.body, at)
            yield from self.answers(node.orelse, at)
        elif isinstance(node, ast.List | ast.Tuple):
            parts = [*node.elts, *self.appended.get(name or "", ())]
            if not node.elts:
                yield None
            for part in parts:
                yield from self.answers(part, at)
        elif isinstance(node, ast.ListComp):
            yield None
            yield from self.answers(node.elt, at)
        elif isinstance(node, ast.Dict):
            yield from self._mapping(node, at)
        elif isinstance(node, ast.Call) and _is_action(node):
            said = {one.arg: one.value for one in node.keywords if one.arg}
            yield self._action(said.get("kind"), said.get("payload"), at)
        else:
            yield self._action(None, node, at, is_bare=True)

    def _mapping(self, node: ast.Dict, at: ast.AST) -> Iterator[Answer | None]:
        said = {constant(key): value for key, value in zip(node.keys, node.values, strict=True)}
        if "actions" in said or "context" in said:
            yield from self.answers(said.get("actions"), at)
            context = self._look(said.get("context"))
            keys = context.keys if isinstance(context, ast.Dict) else []
            found = [key for key in map(constant, keys) if isinstance(key, str)]
            self.source.writes.update(dict.fromkeys(found))
            if context is not None and (not keys or len(found) < len(keys)):
                self.source.note(at, "returns a context that is computed")
        elif "kind" in said and "payload" in said:
            yield self._action(said["kind"], said["payload"], at)
        else:
            yield self._action(None, node, at, is_bare=True)

    def _action(
        self, kind: ast.expr | None, payload: ast.expr | None, at: ast.AST, *, is_bare: bool = False
    ) -> Answer:
        named = constant(self._look(kind))
        if not isinstance(named, str):
            named = None if is_bare else ""
            if not is_bare:
                self.source.note(at, "returns a kind that is computed")
        words = self._words(payload)
        if words is None:
            self.source.note(at, f"returns `{_short(payload)}`, of which nothing is known")
        return Answer(named, words or "", self._example(payload))

    def _look(self, node: ast.expr | None) -> ast.expr | None:
        """The value of a name that is given one value in the function."""
        for _ in range(_MOST_LOOKED_UP):
            values = self.named.get(node.id, []) if isinstance(node, ast.Name) else []
            if len(values) != 1:
                break
            node = values[0]
        return node

    def _words(self, node: ast.expr | None) -> str | None:
        """What a value is, in words."""
        node = self._look(node)
        value = constant(node)
        if isinstance(node, ast.Dict):
            keys = [key for key in map(constant, node.keys) if isinstance(key, str)]
            return f"holding {_and(keys)}" if keys and len(keys) == len(node.keys) else "a mapping"
        for told, nodes, types, methods, names in _SORTS:
            if isinstance(node, nodes) or isinstance(value, types) or _calls(node, methods, names):
                return told
        if isinstance(node, ast.Subscript) and isinstance(key := constant(node.slice), str):
            if key in self.source.keys:
                return f"the `{key}` of the event"
            if key in self.source.reads:
                return f"`{key}` of the shared context"
        return None

    def _example(self, node: ast.expr | None) -> Any:
        """A value of that shape: what is written down, `…` for what is computed."""
        node = self._look(node)
        if isinstance(node, ast.JoinedStr):
            parts = [constant(part) for part in node.values]
            return "".join(part if isinstance(part, str) else "…" for part in parts)
        if isinstance(node, ast.Dict):
            named = [
                (constant(key), value) for key, value in zip(node.keys, node.values, strict=True)
            ]
            return {key: self._example(value) for key, value in named if isinstance(key, str)}
        if isinstance(node, ast.List | ast.Tuple):
            return [self._example(one) for one in node.elts]
        value = constant(node)
        if isinstance(value, str | int | float | bool):
            return value
        return {"a number": 0, "true or false": False, "a list": []}.get(
            self._words(node) or "", "…"
        )


def _is_action(node: ast.Call) -> bool:
    return ast.unparse(node.func).rpartition("live_crew.")[2] in (
        "Action", "Action.create", "Action.from_event", "models.Action"
    )  # fmt: skip


def _calls(node: ast.AST | None, methods: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether it is a call of a method, or of a function of these names."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in methods
    return isinstance(node.func, ast.Name) and node.func.id in names


def _and(names: list[str]) -> str:
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} and {last}" if most else last


def _short(node: ast.expr | None) -> str:
    text = "" if node is None else " ".join(ast.unparse(node).split())
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004
