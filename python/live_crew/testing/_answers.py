"""Scripts in YAML: what `ScriptedLLM` takes, and every mistake with line and column."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from typing import Any

from live_crew.config._problems import check
from live_crew.config._suggest import did_you_mean, shown
from live_crew.config._yaml import Document, Where, dotted, load, trap
from live_crew.errors import Problem
from live_crew.testing._script import ProviderError, Reply, ToolCall

__all__ = ["read_answers"]

_SAYS = ("say", "tool", "fail")
_ANSWER = (*_SAYS, "delay", "usage")
_TOKENS = ("prompt_tokens", "completion_tokens")
_STATUSES = range(400, 600)
_BROKEN = {
    "timeout": (TimeoutError, "the model did not answer in time"),
    "connection": (ConnectionError, "the connection to the model broke"),
}


def read_answers(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The keywords for `ScriptedLLM` that a file holds."""
    reader = _Reader(load(path))
    script = reader.script()
    check(reader.problems)
    return script


class _Reader:
    """Walks through a document and notes every problem on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)

    def script(self) -> dict[str, Any]:
        data: Any = self.document.data
        if not self._is_mapping(data, (), ("rules", "say", "default", "delay")):
            return {}
        script: dict[str, Any] = {"delay": self._delay(data, ())}
        if "rules" in data:
            script["rules"] = self._rules(data["rules"])
        if isinstance(data.get("say"), list):
            listed = enumerate(data["say"])
            script["answers"] = [self._answer(one, ("say", place)) for place, one in listed]
        elif "say" in data:
            script["answers"] = [self._answer(data["say"], ("say",))]
        if "default" in data:
            script["default"] = self._answer(data["default"], ("default",))
        if not script.keys() - {"delay"}:
            self._report((), "holds no answers; add `say: …`, `rules: …` or `default: …`")
        return script

    def _rules(self, given: Any) -> list[tuple[str, Any]]:
        if not isinstance(given, list):
            self._report(("rules",), f"{shown(given)} is no list; write `- when: …` lines")
            return []
        return [self._rule(one, ("rules", place)) for place, one in enumerate(given)]

    def _rule(self, given: Any, at: Where) -> tuple[str, Any]:
        if not self._is_mapping(given, at, ("when", *_ANSWER)):
            return "", ""
        if "when" not in given:
            self._report_missing(
                given, at, "`when` is missing; add `when: …` with a regular expression"
            )
        pattern = self._pattern(given.get("when", ""), (*at, "when"))
        listed = given.get("say")
        if not isinstance(listed, list):
            return pattern, self._parts(given, at)
        for key in (key for key in ("tool", "fail", "usage") if key in given):
            self._report((*at, key), "goes with one answer, and `say` is a list; move it in there")
        delay = self._delay(given, at)
        answers = [self._answer(one, (*at, "say", place)) for place, one in enumerate(listed)]
        return pattern, [Reply(one, delay=delay + one.delay, usage=one.usage) for one in answers]

    def _answer(self, given: Any, at: Where) -> Reply:
        """A text, or a mapping that says more."""
        if not isinstance(given, dict):
            return Reply(self._text(given, at))
        return self._parts(given, at) if self._is_mapping(given, at, _ANSWER) else Reply()

    def _parts(self, given: dict[str, Any], at: Where) -> Reply:
        found = [key for key in _SAYS if key in given]
        if not found:
            self._report_missing(given, at, "says nothing; add `say: …`, `tool: …` or `fail: …`")
        for key in found[1:]:
            self._report((*at, key), f"is a second answer beside `{found[0]}`; remove one")
        said: Any = ""
        tools: list[ToolCall] = []
        if "say" in given:
            json = isinstance(given["say"], dict)
            said = given["say"] if json else self._text(given["say"], (*at, "say"))
        if "fail" in given:
            said = self._failure(given["fail"], (*at, "fail"))
        if "tool" in given:
            tools = self._tools(given["tool"], (*at, "tool"))
        usage = self._usage(given["usage"], (*at, "usage")) if "usage" in given else None
        return Reply(said, delay=self._delay(given, at), usage=usage, tool_calls=tuple(tools))

    def _tools(self, given: Any, at: Where) -> list[ToolCall]:
        if isinstance(given, list):
            return [
                tool for place, one in enumerate(given) for tool in self._tools(one, (*at, place))
            ]
        if isinstance(given, str):
            return [ToolCall(given)]
        if not self._is_mapping(given, at, ("name", "args")):
            return []
        if "name" not in given:
            self._report_missing(given, at, "`name` is missing; add `name: …` of a tool")
            return []
        args = given.get("args") or {}
        if not isinstance(args, dict):
            self._report((*at, "args"), f"{shown(args)} is no mapping; write `{{name: value}}`")
            args = {}
        return [ToolCall(self._text(given["name"], (*at, "name")), args)]

    def _failure(self, given: Any, at: Where) -> Exception:
        status = int(given) if isinstance(given, str) and given.isdecimal() else given
        if isinstance(status, int) and status in _STATUSES:
            return ProviderError(status)
        if str(given) not in _BROKEN:
            fix = "use a status such as 429, `timeout` or `connection`"
            self._report(at, f"{shown(given)} is no failure; {fix}")
            return Exception()
        error, message = _BROKEN[str(given)]
        return error(message)

    def _usage(self, given: Any, at: Where) -> dict[str, int]:
        if not self._is_mapping(given, at, _TOKENS):
            return {}
        for key, count in given.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                self._report((*at, key), f"{shown(count)} is no number of tokens; use 0 or more")
        return dict(given)

    def _delay(self, given: dict[str, Any], at: Where) -> float:
        delay = given.get("delay", 0)
        is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
        if is_number and 0 <= delay < math.inf:
            return float(delay)
        self._report((*at, "delay"), f"{shown(delay)} is no time; use seconds such as 0.2")
        return 0.0

    def _pattern(self, given: Any, at: Where) -> str:
        text = self._text(given, at) if given != "" else ""
        try:
            re.compile(text)
        except re.error as error:
            self._report(at, f"{shown(text)} is no regular expression: {error}; correct it")
            return ""
        return text

    def _text(self, given: Any, at: Where) -> str:
        if isinstance(given, str) and given:
            return given
        if isinstance(given, dict | list):
            self._report(at, f"{shown(given)} is no text; give a text")
        elif given == "":
            self._report(at, "is empty; give a text")
        else:
            self._report(at, trap(self.document.written(at), given))
        return ""

    def _is_mapping(self, given: Any, at: Where, keys: Iterable[str]) -> bool:
        if not isinstance(given, dict):
            self._report(at, f"{shown(given)} is no mapping; write `key: value` lines")
            return False
        for key in given.keys() - set(keys):
            self._report((*at, key), f"is no setting; {did_you_mean(key, keys)}", key=True)
        return True

    def _report_missing(self, given: dict[str, Any], at: Where, message: str) -> None:
        """What is missing may be there under a wrong name, which has been reported then."""
        if given.keys() <= {"when", "name", "args", *_ANSWER}:
            self._report(at, message)

    def _report(self, at: Where, message: str, *, key: bool = False) -> None:
        place = (self.document.locate_key if key else self.document.locate)(at)
        self.problems.append(Problem(message, dotted(at) or None, self.document.file, *place))
