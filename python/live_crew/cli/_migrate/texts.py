"""The files of a crew, as texts, out of what was read of a handler."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from live_crew.cli._migrate.answers import Answer, read_answers
from live_crew.cli._migrate.python_form import WIDTH, as_block, as_python, python_file
from live_crew.cli._migrate.source import NO_DEFAULT, Source, read_source
from live_crew.config import CrewRuntime, make_runtime
from live_crew.handlers import Handler

__all__ = ["CrewTexts", "runtime_of"]

_RESERVED = ("event", "events", "context", "slice", "stream_id", "deps", "missing")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")
_WORDS = {
    "deps": "What other crews found: {deps}.",
    "missing": "What it waited for in vain: {missing}.",
    "slice": "This is slice {slice}.",
    "stream_id": "The stream is {stream_id}.",
    "event": "All of the event: {event}.",
    "events": "The events, all of a slice: {events}.",
}
_PATIENCE_MS = 10_000


@dataclass
class CrewTexts:
    """A handler as a crew."""

    handler: Handler[..., Any]
    origin: str  # `module:name`
    absent: frozenset[str] = frozenset()  # crews it needs that nobody provides
    source: Source = field(init=False)
    answers: list[Answer] = field(init=False)
    is_silent: bool = field(init=False)

    def __post_init__(self) -> None:
        self.source = read_source(self.handler)
        self.answers, self.is_silent = read_answers(self.source)

    @property
    def name(self) -> str:
        """The name of the crew, and of its folder."""
        return self.handler.name

    @property
    def python_name(self) -> str:
        """The name of its Python module, without `.py`."""
        return f"{self.name.replace('-', '_')}_crew"

    @cached_property
    def runtime(self) -> CrewRuntime:
        """What the decorator says."""
        return runtime_of(self.handler)

    def files(self) -> dict[str, str]:
        """Each file of the folder under its name."""
        return {
            "agents.yaml": self._agents(),
            "tasks.yaml": self._tasks(),
            f"{self.name}.runtime.yaml": self._runtime(),
            "answers.yaml": self._script(),
            f"{self.python_name}.py": self._python(),
        }

    def payload(self) -> dict[str, Any]:
        """A payload to try it with."""
        return {
            key: "…" if default in (NO_DEFAULT, None) else default
            for key, default in self.source.keys.items()
        }

    # -- what is said ----------------------------------------------------------------------

    @cached_property
    def _title(self) -> str:
        return " ".join(word.capitalize() for word in re.split(r"[_\-]+", self.name) if word)

    @cached_property
    def _docstring(self) -> str:
        """The docstring; what looks like a placeholder of CrewAI and is none loses its braces."""
        known = set(self._names.values())
        text = _BRACES.sub(
            lambda found: found[0] if found[1] in known else f"<{found[1]}>", self.source.docstring
        )
        return "".join(one if one.isprintable() or one == "\n" else " " for one in text).strip()

    @cached_property
    def _goal(self) -> str:
        first = " ".join(self._docstring.partition("\n\n")[0].split())
        return first.rstrip(".") or f"Handle each event, {self._kinds}"

    @cached_property
    def _kinds(self) -> str:
        return " or ".join("any kind" if one == "*" else f"`{one}`" for one in self.handler.kinds)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Keys of the payload, and the placeholder for each."""
        if self.runtime.batch == "slice":
            return {}
        return {
            key: f"payload_{key}" if key in _RESERVED else key
            if _NAME.fullmatch(key) else re.sub(r"\W", "_", f"_{key}", flags=re.ASCII)
            for key in self.source.keys
        }  # fmt: skip

    @cached_property
    def _inputs(self) -> dict[str, str]:
        """Placeholders that are not simply a key of the payload."""
        inputs = {}
        for key, name in self._names.items():
            default = self.source.keys[key]
            if name == key and default is NO_DEFAULT:
                continue
            at = f".{key}" if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"
            rest = "" if default is NO_DEFAULT else f" | default({_literal(default)})"
            inputs[name] = f"{{{{ event.payload{at}{rest} }}}}"
        return inputs

    @cached_property
    def _description(self) -> str:
        lines = [self._docstring or f"{self._goal}."]
        if self._names:
            told = ", ".join(f"{key} {{{name}}}" for key, name in self._names.items())
            lines.append(f"The event, {self._kinds}: {told}.")
        elif self.source.keys:
            lines.append(f"Of each event, {self._kinds}: {_and(self.source.keys)}.")
        lines += [text for word, text in _WORDS.items() if word in self.source.words]
        if self.source.reads:
            lines.append(f"Read {_and(self.source.reads)} of the shared context.")
        return _wrapped("\n".join(lines))

    @cached_property
    def _expected(self) -> str:
        return _wrapped(self._expected_line())

    def _expected_line(self) -> str:
        actions = [self._action(one) for one in self.answers]
        told = "; or ".join(actions)
        changes = (
            f"`context`, with the new {_and(self.source.writes)}" if self.source.writes else ""
        )
        empty = "`actions`, an empty list"
        if not actions:
            return f"JSON with {empty}{f', and {changes}' if changes else ''}"
        if len(actions) == 1 and not changes and not self.is_silent:
            return f"JSON with {told}"
        some = f"`actions`, a list of one with {told}"
        some += "; an empty list if there is nothing to say" if self.is_silent else ""
        return f"JSON with {some}{f'; and with {changes}' if changes else ''}"

    def _action(self, answer: Answer) -> str:
        payload = f", {answer.payload}" if answer.payload else ""
        if answer.payload.startswith("holding"):
            payload = f" {answer.payload}"
        kind = "`kind`" if answer.kind == "" else f'`kind` "{self._kind(answer)}"'
        return f"{kind} and `payload`{payload}"

    def _kind(self, answer: Answer) -> str:
        return answer.kind or self.runtime.emits.kind or f"{self.name.replace('-', '_')}_result"

    def _unclear(self) -> Iterator[str]:
        """What the code does not say, or says of a function only."""
        if not self.source.docstring:
            yield "say what is to be done; the handler has no docstring"
        yield from self.source.unclear
        if self.source.adds:
            yield f"it added to {_and(self.source.adds)}, a crew sets it; consider `batch: slice`"

    # -- files -----------------------------------------------------------------------------

    def _head(self) -> str:
        place = f", {self.source.place}" if self.source.place else ""
        return f"# Made of the handler `{self.origin}`{place}.\n"

    def _agents(self) -> str:
        return (
            f"{self._head()}{self.name}:\n"
            f"  role: {_scalar(self._title)}\n"
            f"  goal: {_scalar(self._goal)}\n"
            "  # TODO: say who this is and how they work; no code says that\n"
            "  backstory: You do what the task says and answer with nothing but its JSON.\n"
        )

    def _tasks(self) -> str:
        todos = "".join(f"  # TODO: {text}\n" for text in self._unclear())
        return (
            f"{self._head()}{self.name}:\n{todos}"
            f"  description: |\n{_indented(self._description, 4)}"
            f"  expected_output: |\n{_indented(self._expected, 4)}"
            f"  agent: {self.name}\n"
        )

    def _runtime(self) -> str:
        lines = [
            f"{self._head()}# Everything that can stand here: live-crew schema runtime\n",
            f"crew: {_scalar(self.name)}\n",
        ]
        for key, value in self._settings().items():
            if key == "timeout_ms" and value < _PATIENCE_MS:
                lines.append("# TODO: a model takes seconds where a function took none\n")
            if key == "needs":
                lines += self._needs()
            else:
                lines.append(f"{key}: {_flow(value)}\n")
        if self._inputs:
            lines.append("inputs:\n")
            lines += [f"  {name}: {json.dumps(said, ensure_ascii=False)}\n"
                      for name, said in self._inputs.items()]  # fmt: skip
        lines.append(
            "# Offline: answers.yaml is the model. Name one such as openai/gpt-4o-mini here.\n"
        )
        return "".join([*lines, "llm: {script: answers.yaml}\n"])

    def _settings(self) -> dict[str, Any]:
        """What was set, as data, in the order of the documentation."""
        runtime = self.runtime
        said = runtime.model_dump(
            mode="json", exclude_unset=True, exclude={"crew", "llm", "inputs"}
        )
        if "needs" in said:
            said["needs"] = [need.model_dump() for need in runtime.needs]
        return {name: said[name] for name in CrewRuntime.model_fields if name in said}

    def _needs(self) -> Iterator[str]:
        is_empty = all(getattr(need, "crew", None) in self.absent for need in self.runtime.needs)
        yield "needs: []\n" if is_empty else "needs:\n"
        for need in self.runtime.needs:
            line = f"  - {_flow(need.model_dump())}\n"
            if (crew := getattr(need, "crew", None)) in self.absent:
                yield f"  # TODO: configure a crew `{crew}`, then take the # away:\n  #{line[1:]}"
            else:
                yield line

    def _script(self) -> str:
        actions = [{"kind": self._kind(one), "payload": one.example} for one in self.answers]
        first: Any = {"actions": actions[:1]}
        if actions and not self.source.writes and not self.is_silent:
            first = actions[0]
        lines = [
            self._head(),
            "# What its model says while it is not asked; `…` is what the handler computes.\n",
        ]
        if self.source.writes:
            lines.append(f"# TODO: add `context` with {_and(self.source.writes)} to the answer\n")
        return "".join([*lines, "default:\n  say: ", json.dumps(first, ensure_ascii=False), "\n"])

    def _python(self) -> str:
        settings = self._settings()
        absent = [need for need in settings.get("needs", ()) if need.get("crew") in self.absent]
        if absent:
            settings["needs"] = [need for need in settings["needs"] if need not in absent]
        if self._inputs:
            settings["inputs"] = self._inputs
        keys = "".join(f"        {key}={as_python(value)},\n" for key, value in settings.items())
        needed = [need["crew"] for need in settings.get("needs", ()) if "crew" in need]
        todo = "".join(
            f"        # TODO: needs {need!r}, once there is such a crew\n" for need in absent
        )
        return python_file(
            name=self.name,
            role=as_python(self._title),
            goal=as_python(self._goal),
            description=as_block(self._description),
            expected=as_block(self._expected),
            keys=keys + todo,
            needed=_and(needed) if needed else "",
        )


def runtime_of(handler: Handler[..., Any]) -> CrewRuntime:
    """What the decorator of a handler says, checked."""
    kinds = list(handler.kinds)
    return make_runtime(**{"crew": handler.name, "triggers": kinds, **handler.options})


def _flow(value: Any) -> str:
    """A value of YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return str(text).removesuffix("...\n").strip()


def _scalar(text: str) -> str:
    return _flow(text)


def _indented(text: str, width: int) -> str:
    return "".join(f"{' ' * width}{line}".rstrip() + "\n" for line in text.splitlines())


def _wrapped(text: str) -> str:
    """Lines that fit a screen."""
    lines = [textwrap.wrap(line, WIDTH - 10, break_long_words=False, break_on_hyphens=False)
             for line in text.splitlines()]  # fmt: skip
    return "\n".join("\n".join(one) for one in lines)


def _literal(value: Any) -> str:
    """A default as an expression of a template; `none` if it is not simple."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str) and value.isprintable() and not set(value) & set("\\'\"{}"):
        return f"'{value}'"
    return "[]" if value == [] else "'none'"


def _and(names: Any) -> str:
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} and {last}" if most else last
