"""What the source of a handler says of its events and of the context."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_crew.handlers import Handler

__all__ = ["NO_DEFAULT", "Source", "constant", "read_source"]

NO_DEFAULT: Any = object()

_WORDS = {"deps": "deps", "missing": "missing", "slice": "slice", "stream_id": "stream_id"}
_CHANGES = ("append", "extend", "insert", "remove", "clear", "pop", "update", "setdefault", "add")
_HARMLESS = ("dict", "len", "list")
_UNSURE = (ast.If, ast.IfExp, ast.Try, ast.Match, ast.While)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass
class Source:
    """What was found; `unclear` says what was not, each with its line."""

    place: str
    docstring: str = ""
    function: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    first_line: int = 1
    keys: dict[str, Any] = field(default_factory=dict)  # of the payload, each with its default
    reads: dict[str, None] = field(default_factory=dict)  # keys of the context, in their order
    writes: dict[str, None] = field(default_factory=dict)
    adds: dict[str, None] = field(default_factory=dict)  # those that `incr` and `append` write
    words: set[str] = field(default_factory=set)  # other inputs it needs: `event`, `deps` …
    unclear: list[str] = field(default_factory=list)

    def line(self, node: ast.AST) -> int:
        """The line of a node in its file."""
        return self.first_line + int(getattr(node, "lineno", 1)) - 1

    def note(self, node: ast.AST, said: str) -> None:
        """Add something unclear, once."""
        told = f"line {self.line(node)} {said}"
        if told not in self.unclear:
            self.unclear.append(told)


def read_source(handler: Handler[..., Any]) -> Source:
    """Read the function of a handler."""
    function = inspect.unwrap(handler.function)
    docstring = inspect.getdoc(function) or ""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        name = Path(inspect.getsourcefile(function) or "").name
    except (OSError, TypeError, SyntaxError):
        lost = Source("", docstring, words={"event"})
        lost.unclear.append("its source cannot be read, so nothing is known but its decorator")
        return lost
    found = next((one for one in tree.body if isinstance(one, ast.FunctionDef)), None) or next(
        (one for one in tree.body if isinstance(one, ast.AsyncFunctionDef)), None
    )
    source = Source(f"{name}:{first}", docstring, found, first)
    if found is None:
        source.words.add("event")
        source.unclear.append(f"line {first} is no `def`, so nothing is known but its decorator")
        return source
    _Reader(source, found, is_batch=handler.options.get("batch") == "slice").read()
    return source


def constant(node: ast.AST | None) -> Any:
    """The value of a literal; `NO_DEFAULT` of anything else."""
    try:
        return NO_DEFAULT if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return NO_DEFAULT


class _Reader:
    """Walks through one function."""

    def __init__(
        self, source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_batch: bool
    ) -> None:
        self.source = source
        self.function = function
        self.parents = {
            below: node for node in ast.walk(function) for below in ast.iter_child_nodes(node)
        }
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        first, second = (*names, None, None)[:2]
        self.context = second
        self.events = {first} if is_batch else set()
        self.event = set() if is_batch else {first}
        self.payload: set[str] = set()
        self.kept: dict[str, str] = {}  # names that hold a value of the context, and its key
        if is_batch:
            source.words.add("events")

    def read(self) -> None:
        """Find names first, since they may be used before the line that this walk meets."""
        nodes = [node for one in self.function.body for node in ast.walk(one)]
        known = -1
        while known != (known := len(self.event | self.payload | set(self.kept))):
            for node in nodes:
                self._name(node)
        for node in nodes:
            self._payload(node)
            self._event(node)
            self._context(node)

    # -- names -----------------------------------------------------------------------------

    def _name(self, node: ast.AST) -> None:
        """What a name of the function holds, where an assignment or a loop says it."""
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            if isinstance(node.target, ast.Name) and self._is_events(node.iter):
                self.event.add(node.target.id)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and node.value is not None:
                    self._hold(target.id, node.value)

    def _hold(self, name: str, value: ast.expr) -> None:
        if self._is_event(value):
            self.event.add(name)
        elif self._is_payload(value):
            self.payload.add(name)
        elif (key := self._kept_key(value)) is not None:
            self.kept.setdefault(name, key)

    def _is_events(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "events":
            return self._is_context(node.value)
        return isinstance(node, ast.Name) and node.id in self.events

    def _is_event(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Subscript):
            return self._is_events(node.value) and not isinstance(node.slice, ast.Slice)
        return isinstance(node, ast.Name) and node.id in self.event

    def _is_payload(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "payload":
            return self._is_event(node.value)
        return isinstance(node, ast.Name) and node.id in self.payload

    def _is_context(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.context

    # -- the event -------------------------------------------------------------------------

    def _payload(self, node: ast.AST) -> None:
        if not self._is_payload(node) or isinstance(getattr(node, "ctx", None), ast.Store):
            return
        above = self.parents.get(node)
        if isinstance(above, ast.Subscript) and above.value is node:
            self._item(above)
        elif isinstance(above, ast.Attribute):
            self._attribute(above)
        elif isinstance(above, ast.Compare) and above.comparators == [node]:
            key = constant(above.left)
            if isinstance(key, str):
                self._key(key, None)
        elif not isinstance(above, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            self.source.words.add("event")

    def _item(self, node: ast.Subscript) -> None:
        key = constant(node.slice)
        if not isinstance(node.ctx, ast.Load):
            self.source.note(node, "changes the payload")
        elif isinstance(key, str):
            self._key(key, None if self._is_unsure(node) else NO_DEFAULT)
        else:
            self.source.words.add("event")
            self.source.note(node, "reads a key of the payload that is computed")

    def _attribute(self, node: ast.Attribute) -> None:
        call = self.parents.get(node)
        if not isinstance(call, ast.Call) or call.func is not node:
            self._key(node.attr, None if self._is_unsure(node) else NO_DEFAULT)
            return
        key = constant(call.args[0]) if call.args else None
        if node.attr == "get" and isinstance(key, str):
            default = constant(call.args[1]) if len(call.args) > 1 else None
            if default is NO_DEFAULT:
                default = None
                self.source.note(call, f"gives `{key}` a default that is computed")
            self._key(key, default)
        else:
            self.source.words.add("event")

    def _key(self, key: str, default: Any) -> None:
        """A key that is read once without a default has to be there."""
        known = self.source.keys.get(key)
        if known is None or default is NO_DEFAULT:
            self.source.keys[key] = default

    def _is_unsure(self, node: ast.AST) -> bool:
        """Whether a line is not reached with every event."""
        above: ast.AST | None = node
        while above is not None and above is not self.function:
            below, above = above, self.parents.get(above)
            if isinstance(above, _UNSURE) and getattr(above, "test", None) is not below:
                return True
        return False

    def _event(self, node: ast.AST) -> None:
        above = self.parents.get(node)
        if isinstance(node, ast.Name) and (self._is_event(node) or self._is_events(node)):
            if isinstance(above, ast.Call) and node in above.args:
                self._handed(node, above, len_is_fine=self._is_events(node))
        elif (
            isinstance(node, ast.Attribute)
            and node.attr != "payload"
            and self._is_event(node.value)
        ):
            self.source.words.add("stream_id" if node.attr == "stream_id" else "event")

    def _handed(self, node: ast.Name, call: ast.Call, *, len_is_fine: bool = False) -> None:
        name = ast.unparse(call.func)
        if name.endswith("from_event") or (len_is_fine and name in ("len", "sorted", "reversed")):
            return
        self.source.words.add("event" if not self.events else "events")
        self.source.note(call, f"hands `{node.id}` to `{name}`, which was not looked into")

    # -- the context -----------------------------------------------------------------------

    def _context(self, node: ast.AST) -> None:
        above = self.parents.get(node)
        if isinstance(node, ast.Name) and self._is_context(node):
            if isinstance(above, ast.Compare) and isinstance(key := constant(above.left), str):
                self.source.reads[key] = None
            elif isinstance(above, ast.Call) and ast.unparse(above.func) not in _HARMLESS:
                self._handed(node, above)
            elif isinstance(above, ast.Subscript):
                self._context_item(above)
            elif isinstance(above, ast.Attribute):
                self._context_attribute(above)
        elif (changed := self._changed(node)) and (key := self._kept_key(changed)):
            self.source.writes[key] = None

    def _changed(self, node: ast.AST) -> ast.AST | None:
        """What a node changes in place, if it is no name."""
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return None if self._is_context(node.value) else node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return node.func.value if node.func.attr in _CHANGES else None
        return None

    def _context_item(self, node: ast.Subscript) -> None:
        key = constant(node.slice)
        if not isinstance(key, str):
            self.source.note(node, "uses a key of the context that is computed")
        elif isinstance(node.ctx, ast.Load):
            self.source.reads[key] = None
        else:
            self.source.writes[key] = None
            if isinstance(self.parents.get(node), ast.AugAssign):
                self.source.reads[key] = None

    def _context_attribute(self, node: ast.Attribute) -> None:
        call = self.parents.get(node)
        first = call.args[0] if isinstance(call, ast.Call) and call.args else None
        if node.attr in _WORDS:
            self.source.words.add(_WORDS[node.attr])
        elif node.attr in ("random", "uuid"):
            self.source.note(node, f"draws with `ctx.{node.attr}()`, which a crew cannot")
        elif node.attr == "now":
            self.source.words.add("event")
            self.source.note(node, "asks for `ctx.now`; a crew has the `ts` of its event")
        elif node.attr == "update":
            self._update(call)
        elif node.attr in ("get", "setdefault", "pop", "incr", "append"):
            path = _path(first)
            if path is None:
                self.source.note(node, f"calls `ctx.{node.attr}` with a key that is computed")
                return
            if node.attr in ("get", "setdefault", "pop"):
                self.source.reads[path] = None
            if node.attr != "get":
                self.source.writes[path.partition(".")[0]] = None
            if node.attr in ("incr", "append"):
                self.source.adds[path.partition(".")[0]] = None

    def _update(self, call: ast.AST | None) -> None:
        given = call if isinstance(call, ast.Call) else ast.Call(ast.Name("update"), [], [])
        keys = [one.arg for one in given.keywords]
        for one in given.args:
            named = one.keys if isinstance(one, ast.Dict) else [None]
            keys += [key if isinstance(key := constant(name), str) else None for name in named]
        self.source.writes.update(dict.fromkeys(key for key in keys if key is not None))
        if None in keys:
            self.source.note(given, "updates the context with keys that are computed")

    def _kept_key(self, node: ast.AST) -> str | None:
        """The key of the context that a value came from, as in `ctx["a"]["b"]`."""
        while True:
            if isinstance(node, ast.Name):
                return self.kept.get(node.id)
            if isinstance(node, ast.Subscript) and self._is_context(node.value):
                key = constant(node.slice)
                return key if isinstance(key, str) else None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if not self._is_context(node.func.value):
                    return None
                is_value = node.func.attr in ("get", "setdefault")
                return _path(node.args[0]) if is_value and node.args else None
            if not isinstance(node, ast.Subscript | ast.Attribute):
                return None
            node = node.value


def _path(node: ast.AST | None) -> str | None:
    """A key or a path of the context, `…` for what is computed in it."""
    if isinstance(node, ast.List | ast.Tuple) and node.elts:
        parts = list(_parts(node.elts))
        return None if parts[0] == "…" else ".".join(parts)
    value = constant(node)
    return value if isinstance(value, str) else None


def _parts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        value = constant(node)
        yield "…" if value is NO_DEFAULT else str(value)
