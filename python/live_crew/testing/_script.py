"""A script: which answer a request gets. Knows nothing of CrewAI."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from http import HTTPStatus
from typing import Any

from live_crew.config._suggest import shown
from live_crew.errors import LiveCrewError

__all__ = [
    "UNSET",
    "Answer",
    "Call",
    "ProviderError",
    "Reply",
    "Request",
    "Rules",
    "Script",
    "ScriptError",
    "ToolCall",
]

UNSET: Any = object()
_LONGEST_HEAD = 400
_MOST_CALLS = 10_000


class ScriptError(LiveCrewError):
    """A script has no answer to a request, or one that cannot be given."""

    # CrewAI tries again, after seconds, whatever reads like a rate limit, and prompts stand in
    # our messages. An error of this code it takes for final.
    code = "service_quota_exceeded_exception"


class ProviderError(Exception):
    """What a provider answers when it does not answer: `ProviderError(429)`, `ProviderError(500)`.

    CrewAI tries again after a 429, `retry_after` seconds later, twice.
    """

    def __init__(
        self, status: int, message: str | None = None, *, retry_after: float = 0.0
    ) -> None:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "error"
        super().__init__(status, message or f"{status} {phrase}")
        self.status_code = status
        self.headers = {"retry-after": str(retry_after)}

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class ToolCall:
    """An answer that calls a tool of the agent. The tool is run by CrewAI, for real."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """An answer with more to it: a `delay` in seconds, a token `usage`, several `tool_calls`."""

    answer: Any = ""
    delay: float = 0.0
    usage: Mapping[str, int] | None = None
    tool_calls: Sequence[ToolCall] = ()


@dataclass(frozen=True)
class Request:
    """What a model is asked: what predicates and functions of a script look at."""

    messages: tuple[Mapping[str, Any], ...]
    agent: str | None = None
    task: str | None = None
    tools: tuple[str, ...] = ()
    response_model: type[Any] | None = None

    @property
    def prompt(self) -> str:
        """The text of the last message of the user."""
        last = (one for one in reversed(self.messages) if one.get("role") == "user")
        return _text_of(next(last, {}))

    @property
    def text(self) -> str:
        """The text of all messages, which patterns are searched in."""
        return "\n".join(map(_text_of, self.messages))


@dataclass(frozen=True)
class Call(Request):
    """A request and its answer: a text, tool calls, or the exception that was raised."""

    answer: str | tuple[ToolCall, ...] | BaseException = field(kw_only=True)


Answer = (
    str
    | dict[str, Any]
    | list[Any]
    | ToolCall
    | Reply
    | BaseException
    | type[BaseException]
    | Callable[[Request], Any]
)
Pattern = str | re.Pattern[str] | Callable[[Request], object]
Rules = (
    Mapping[str, Answer | Sequence[Answer]] | Sequence[tuple[Pattern, Answer | Sequence[Answer]]]
)


class Script:
    """Answers by rule, in order, or always the same; and every call there was.

    The first rule that matches answers. What no rule matches gets the next of the answers in
    order, and `default` after those.
    """

    def __init__(
        self, in_order: Sequence[Answer] = (), rules: Rules = (), default: Answer = UNSET
    ) -> None:
        pairs = rules.items() if isinstance(rules, Mapping) else rules
        self.rules = [_Line(answer, pattern) for pattern, answer in pairs]
        self.in_order = _Line(list(in_order))
        self.default = default
        _check(default)
        self.asked = 0
        self._calls: dict[int, Call] = {}
        self._lock = threading.Lock()

    def __deepcopy__(self, _memo: object) -> Script:
        return self

    def answer(self, request: Request) -> Reply:
        """The answer to a request, as a `Reply` of a text, of tool calls, or of an exception."""
        line = next((rule for rule in self.rules if rule.matches(request)), None)
        with self._lock:
            try:
                given = self._next(line, request)
            except ScriptError as error:
                given = error
            self.asked += 1
            number, calls = self.asked, self._calls
            known = {one.name: getattr(request, one.name) for one in fields(request)}
            calls[number] = Call(**known, answer=ScriptError("has not been answered yet"))
            calls.pop(number - _MOST_CALLS, None)
        reply = _reply(given, request)
        with self._lock:
            if number in calls:
                said = tuple(reply.tool_calls) or reply.answer
                calls[number] = replace(calls[number], answer=said)
        return reply

    @property
    def calls(self) -> list[Call]:
        """The calls so far, the latest 10,000 of them."""
        with self._lock:
            return list(self._calls.values())

    def reset(self) -> None:
        """Begins again, as if nothing had been asked."""
        with self._lock:
            self.asked, self._calls = 0, {}
            for line in (*self.rules, self.in_order):
                line.used = 0

    def left(self) -> list[str]:
        """What has not been said, and what could not be, a line for each."""
        over = [f"call {number}: {one.answer}" for number, one in self._calls.items()
                if isinstance(one.answer, ScriptError)]  # fmt: skip
        unused = [told for line in (*self.rules, self.in_order) for told in line.left()]
        return [*over, *unused]

    def _next(self, line: _Line | None, request: Request) -> Any:
        if line is not None and not line.is_over:
            return line.take()
        if line is not None:
            raise ScriptError(
                f"{line.name} is over after {_answers(line.used)}; add one, or give it one that is "
                f"no list, which repeats. {_asked(request)}"
            )
        if not self.in_order.is_over:
            return self.in_order.take()
        if self.default is not UNSET:
            return self.default
        why = []
        if self.rules:
            why.append(f"none of the rules matches ({', '.join(rule.name for rule in self.rules)})")
        if self.in_order.answers or not self.rules:
            why.append(f"the script is over after {_answers(self.in_order.used)}")
        raise ScriptError(f"{' and '.join(why)}; add an answer, or a `default`. {_asked(request)}")


class _Line:
    """The answers of a rule, or those of no rule: a list is given in order, another repeats."""

    def __init__(self, answers: Any, pattern: Pattern | None = None) -> None:
        self.repeats = not isinstance(answers, list | tuple)
        self.answers = [answers] if self.repeats else list(answers)
        self.used = 0
        for answer in self.answers:
            _check(answer)
        if isinstance(pattern, str):
            try:
                pattern = re.compile(pattern, re.DOTALL)
            except re.error as error:
                raise LiveCrewError(f"`{pattern}` is no regular expression: {error}") from None
        if pattern is not None and not isinstance(pattern, re.Pattern) and not callable(pattern):
            raise LiveCrewError(
                f"{shown(pattern)} is nothing to match with; give a regular expression, or a "
                "function of the request"
            )
        self.pattern = pattern

    @property
    def name(self) -> str:
        if isinstance(self.pattern, re.Pattern):
            return f"rule /{self.pattern.pattern}/"
        return f"rule {getattr(self.pattern, '__name__', self.pattern)}()"

    @property
    def is_over(self) -> bool:
        return not self.repeats and self.used >= len(self.answers)

    def matches(self, request: Request) -> bool:
        if isinstance(self.pattern, re.Pattern):
            return self.pattern.search(request.text) is not None
        return self.pattern is not None and bool(self.pattern(request))

    def take(self) -> Any:
        self.used += 1
        return self.answers[0 if self.repeats else self.used - 1]

    def left(self) -> list[str]:
        of = f"{self.name}: " if self.pattern is not None else ""
        if self.repeats:
            return [] if self.used else [f"{of}never matched"]
        return [f"{of}not said: {_head(str(one), 80)}" for one in self.answers[self.used :]]


def _reply(answer: Any, request: Request) -> Reply:
    """An answer as it was written → what a provider would say, in one shape."""
    if callable(answer):
        try:
            answer = answer() if isinstance(answer, type) else answer(request)
        except Exception as error:  # noqa: BLE001 - raised as what the model answered
            answer = error
    if isinstance(answer, Reply):
        inner = _reply(answer.answer, request)
        tool_calls = (*answer.tool_calls, *inner.tool_calls)
        return replace(answer, answer=inner.answer, tool_calls=tool_calls)
    if isinstance(answer, ToolCall):
        return Reply(tool_calls=(answer,))
    if isinstance(answer, dict | list):
        answer = json.dumps(answer, ensure_ascii=False)
    if not isinstance(answer, str | BaseException):
        answer = ScriptError(f"{shown(answer)} is no answer; {_ANSWERS}")
    return Reply(answer)


_ANSWERS = (
    "give a text, a dict or list (JSON), a `Reply`, a `ToolCall`, an exception, or a function of "
    "the request"
)


def _check(answer: Any) -> None:
    known = isinstance(answer, str | dict | list | Reply | ToolCall | BaseException)
    if not known and answer is not UNSET and not callable(answer):
        raise LiveCrewError(f"{shown(answer)} is no answer; {_ANSWERS}")


def _answers(number: int) -> str:
    return f"{number} answer{'' if number == 1 else 's'}"


def _asked(request: Request) -> str:
    who = f" of agent `{request.agent}`" if request.agent else ""
    return f"The request{who}: {_head(request.prompt, _LONGEST_HEAD)}"


def _head(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content or ""
