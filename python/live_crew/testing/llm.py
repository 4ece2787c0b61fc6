"""`ScriptedLLM`: a model for CrewAI whose answers are written down."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel, PrivateAttr

from live_crew.config._suggest import did_you_mean
from live_crew.crews.seams import (
    BaseLLM,
    HookAborted,
    LLMCallType,
    llm_call_context,
    sanitize_tool_name,
)
from live_crew.errors import LiveCrewError
from live_crew.testing._script import (
    UNSET,
    Answer,
    Call,
    Reply,
    Request,
    Rules,
    Script,
    ScriptError,
)

__all__ = ["ScriptedLLM"]


class _StopError(ScriptError, HookAborted):
    """A mistake in a script; only of a stop of its own CrewAI makes no second try."""


@dataclass
class _Turn:
    """One call of the model: what CrewAI hands over, what that asks for, and what is said."""

    # In the order of CrewAI.
    messages: Any
    tools: Any = None
    callbacks: Any = None
    available_functions: dict[str, Any] | None = None
    from_task: Any = None
    from_agent: Any = None
    response_model: type[BaseModel] | None = None
    request: Request = field(init=False, default_factory=lambda: Request(()))
    reply: Reply = field(init=False, default_factory=Reply)

    @property
    def by(self) -> dict[str, Any]:
        """Who asks."""
        return {"from_task": self.from_task, "from_agent": self.from_agent}


class ScriptedLLM(BaseLLM):
    """A model that answers what a script says, so that crews run offline and the same every time.

    ```python
    ScriptedLLM("hello")                                  # always
    ScriptedLLM(["first", "second"])                      # in order, then an error
    ScriptedLLM(rules={"You are Critic": "too long"}, default="a text")
    ScriptedLLM([ToolCall("search", {"query": "x"}), ProviderError(429), {"title": "X"}])
    ```

    An answer is a text, a dict or list (its JSON), a `ToolCall`, a `Reply` (delay, token usage,
    several tool calls), an exception that is raised, or a function of the `Request` that gives one
    of these. A rule is a regular expression, searched in the text of the whole conversation, or a
    function of the request; the first that matches answers. The answer of a rule repeats; a list of
    answers is given in order, and it is an error to ask for more.

    Copies, such as CrewAI makes of a crew, share the script and `calls`; each counts its tokens.
    Tokens are counted by words. `native_tools=False` lets the executor ask for tools in its text
    format, as it does for models that know no function calling.
    """

    llm_type: Literal["scripted"] = "scripted"
    model: str = "scripted"
    provider: str = "scripted"
    native_tools: bool = True
    delay: float = 0.0

    _script: Script = PrivateAttr()
    _interrupted: threading.Event = PrivateAttr(default_factory=threading.Event)

    def __init__(
        self,
        answers: Answer | Sequence[Answer] = UNSET,
        *,
        rules: Rules = (),
        default: Answer = UNSET,
        delay: float = 0.0,
        native_tools: bool = True,
        **settings: Any,
    ) -> None:
        # CrewAI takes a model for one of OpenAI that does not say whose it is, and asks there.
        whose = {"model": "scripted", "provider": "scripted"}
        fields = {**whose, "delay": delay, "native_tools": native_tools, **settings}
        super().__init__(**fields)
        in_order: Sequence[Answer] = ()
        if isinstance(answers, list | tuple):
            in_order = answers
        elif default is UNSET:
            default = cast("Answer", answers)
        elif answers is not UNSET:
            raise LiveCrewError("`default` is a second answer for always; make the first a list")
        self._script = Script(in_order, rules, default)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> ScriptedLLM:
        """The model of a script in YAML, every mistake in it with line and column.

        ```yaml
        rules:
          - {when: "You are Critic", say: [too long, fine], delay: 0.1}
          - {when: weather, tool: {name: search, args: {query: weather}}}
          - {when: broken, fail: 429}          # a status, `timeout` or `connection`
        say: [first, second]                   # what no rule matches, in order
        default: a text                        # and after that
        ```
        """
        from live_crew.testing._answers import read_answers

        return cls(**read_answers(path))

    @property
    def calls(self) -> list[Call]:
        """The calls so far, those of copies included; the latest 10,000, if there were more."""
        return self._script.calls

    def assert_complete(self) -> None:
        """Checks that all answers were given, all rules matched, and every call was answered."""
        if left := self._script.left():
            raise AssertionError("the script is not complete:\n" + "\n".join(left))

    def reset(self) -> None:
        """Begins the script again, with no calls, no tokens and no interrupt."""
        self._script.reset()
        self._start_anew()

    def interrupt(self) -> None:
        """Ends the delay of this copy's calls, and its calls to come, with `InterruptedError`."""
        self._interrupted.set()

    def call(self, *given: Any, **named: Any) -> Any:
        """Answers as a provider would, after the delay; takes what models of CrewAI take."""
        turn = _Turn(*given, **named)
        with self._answering(turn):
            self._interrupted.wait(self.delay + turn.reply.delay)
            return self._say(turn)

    async def acall(self, *given: Any, **named: Any) -> Any:
        """`call`, in an event loop, which goes on meanwhile."""
        turn = _Turn(*given, **named)
        with self._answering(turn):
            await asyncio.sleep(self.delay + turn.reply.delay)
            return self._say(turn)

    def supports_function_calling(self) -> bool:
        """Whether the executor hands over tools, or describes them in its prompt."""
        return self.native_tools

    def get_context_window_size(self) -> int:
        """So much that nothing is ever summed up."""
        return 1_000_000

    def get_input_tokens_count(
        self,
        messages: Any,
        tools: Any = None,  # noqa: ARG002
        response_model: Any = None,  # noqa: ARG002
    ) -> int:
        """Words."""
        return _words(_request(self._format_messages(messages)).text)

    def __copy__(self) -> ScriptedLLM:
        copied = super().__copy__()
        copied._start_anew()  # noqa: SLF001
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> ScriptedLLM:
        return copy.copy(self)

    def _start_anew(self) -> None:
        self._token_usage = dict.fromkeys(self._token_usage, 0)
        self._interrupted = threading.Event()

    @contextmanager
    def _answering(self, turn: _Turn) -> Iterator[None]:
        """A call with the events and hooks that providers have around theirs."""
        with llm_call_context():
            self._emit_call_started_event(
                turn.messages, turn.tools, turn.callbacks, turn.available_functions, **turn.by
            )
            try:
                messages = self._format_messages(turn.messages)
                self._invoke_before_llm_call_hooks(messages, turn.by["from_agent"])
                turn.request = _request(messages, turn.tools, turn.response_model, **turn.by)
                turn.reply = self._script.answer(turn.request)
                yield
            except Exception as error:
                self._emit_call_failed_event(str(error), **turn.by)
                if isinstance(error, ScriptError):
                    raise _StopError(str(error)) from None
                raise

    def _say(self, turn: _Turn) -> Any:
        """What the executor gets: a text, tool calls, a model; or an exception."""
        reply, request = turn.reply, turn.request
        if self._interrupted.is_set():
            raise InterruptedError("the script was interrupted")
        if isinstance(reply.answer, BaseException):
            raise reply.answer.with_traceback(None)  # it may be raised many times
        text = self._apply_stop_words(reply.answer)
        if reply.tool_calls:
            _check_tools(request, reply)
            if turn.tools:
                return self._call_tools(turn)
            text = _as_text(reply)
        model = request.response_model
        answer = model.model_validate_json(text) if model else text
        usage = self._count(turn, text)
        if self._effective_stream():
            for chunk in re.findall(r"\s*\S+\s*$|\s*\S+", text):
                self._emit_stream_chunk_event(chunk, **turn.by)
        self._emit_completed(turn, text, LLMCallType.LLM_CALL, usage, "stop")
        if answer is not text:
            return answer
        return self._invoke_after_llm_call_hooks(
            [dict(one) for one in request.messages],  # type: ignore[misc]
            text,
            turn.by["from_agent"],
        )

    def _call_tools(self, turn: _Turn) -> Any:
        """Tool calls as those of OpenAI; run at once if the caller gave functions for that."""
        made = [
            {
                "id": f"call_{len(turn.request.messages)}_{at}",
                "type": "function",
                "function": {"name": sanitize_tool_name(one.name), "arguments": _json(one.args)},
            }
            for at, one in enumerate(turn.reply.tool_calls)
        ]
        usage = self._count(turn, " ".join(f"{one.name} {_json(one.args)}"
                                           for one in turn.reply.tool_calls))  # fmt: skip
        if turn.available_functions:
            one = turn.reply.tool_calls[0]
            name = sanitize_tool_name(one.name)
            functions = turn.available_functions
            return self._handle_tool_execution(name, dict(one.args), functions, **turn.by)
        self._emit_completed(turn, made, LLMCallType.TOOL_CALL, usage, "tool_calls")
        return made

    def _count(self, turn: _Turn, said: str) -> dict[str, int]:
        counted = {"prompt_tokens": _words(turn.request.text), "completion_tokens": _words(said)}
        usage = {**counted, **(turn.reply.usage or {})}
        usage.setdefault("total_tokens", usage["prompt_tokens"] + usage["completion_tokens"])
        self._track_token_usage_internal(usage)
        return usage

    def _emit_completed(
        self, turn: _Turn, said: Any, sort: LLMCallType, usage: dict[str, int], why: str
    ) -> None:
        self._emit_call_completed_event(
            response=said,
            call_type=sort,
            messages=[dict(one) for one in turn.request.messages],  # type: ignore[misc]
            usage=usage,
            finish_reason=why,
            **turn.by,
        )


def _request(
    messages: Sequence[Any],
    tools: Any = None,
    response_model: type[BaseModel] | None = None,
    from_task: Any = None,
    from_agent: Any = None,
) -> Request:
    """What is asked, in our words."""
    if tools:
        names = [one["function"]["name"] for one in tools]
    else:  # written in the prompt, and known to the executor
        executor = getattr(from_agent, "agent_executor", None)
        names = [sanitize_tool_name(one.name) for one in getattr(executor, "tools", None) or ()]
    return Request(
        messages=tuple(messages),
        agent=getattr(from_agent, "role", None),
        task=getattr(from_task, "name", None) or getattr(from_task, "description", None),
        tools=tuple(names),
        response_model=response_model,
    )


def _check_tools(request: Request, reply: Reply) -> None:
    who = f"agent `{request.agent}`" if request.agent else "this request"
    for one in reply.tool_calls:
        if not request.tools:
            raise ScriptError(f"`{one.name}` is to be called, and {who} has no tools; say a text")
        if sanitize_tool_name(one.name) not in request.tools:
            meant = did_you_mean(one.name, request.tools)
            raise ScriptError(f"{who} has no tool `{one.name}`; {meant}")


def _as_text(reply: Reply) -> str:
    """A tool call as the executor reads it in a text."""
    if len(reply.tool_calls) > 1:
        raise ScriptError(
            "several tools at once are for function calling; without `native_tools`, give one "
            "answer for each"
        )
    one = reply.tool_calls[0]
    thought = f"Thought: {reply.answer}\n" if reply.answer else ""
    return f"{thought}Action: {sanitize_tool_name(one.name)}\nAction Input: {_json(one.args)}"


def _json(value: Any) -> str:
    return json.dumps(dict(value), ensure_ascii=False)


def _words(text: str) -> int:
    return len(text.split())
