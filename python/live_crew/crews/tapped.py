"""Models and tools of a run whose answers go past somebody; what it takes of CrewAI is in pins."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from live_crew.crews.seams import Agent, BaseLLM, BaseTool, Crew, agents_of, models_of

if TYPE_CHECKING:
    from live_crew.crews.traffic import Answered

__all__ = ["add_tokens", "keys_of", "owned_models", "tap_model", "tap_tools", "tokens_of"]

# Told how something is called; says what becomes of it.
Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Answered"]
# The same for each tool of an agent in a task.
BeginTool = Callable[[Any, Any, BaseTool], Begin]

_begin_tool: ContextVar[BeginTool | None] = ContextVar("live_crew_tools", default=None)
# They run other agents, whose answers are tapped, or see nothing but the run.
_RUN_AGAIN = ("crewai.tools.agent_tools.", "live_crew.tools")


def tap_model(model: BaseLLM, begin: Callable[..., Answered]) -> None:
    """Let the answers of a model that belongs to one run go past somebody.

    `begin` is told the name of the method that is called, and its arguments.
    """
    names = ["call", "acall"]
    # Some ask their provider how long a text is, on which it depends whether it is summarised.
    plain = getattr(BaseLLM, "get_input_tokens_count", None)
    if plain is not None and type(model).get_input_tokens_count is not plain:
        names.append("get_input_tokens_count")
    for name in names:
        tapped = _past(getattr(model, name), functools.partial(begin, name))
        object.__setattr__(model, name, tapped)


def tap_tools(begin: BeginTool) -> None:
    """Let the answers of all tools of a run go past somebody. To be called in its context."""
    _begin_tool.set(begin)


def owned_models(crew: Crew) -> list[tuple[BaseLLM, str]]:
    """Every model of a crew with the role of the agent that has it, for calls that do not say."""
    owners = {
        id(vars(agent).get(name)): agent.role
        for agent in agents_of(crew)
        for name in ("function_calling_llm", "llm")
    }
    return [(model, owners.get(id(model), "crew")) for model in models_of(crew)]


def keys_of(*models: BaseLLM) -> list[str]:
    """What models identify themselves with."""
    keys = [getattr(model, "api_key", None) for model in models]
    return [key for key in keys if isinstance(key, str)]


def tokens_of(model: BaseLLM) -> dict[str, int]:
    """What a model counted so far."""
    return dict(getattr(model, "_token_usage", None) or {})


def add_tokens(model: BaseLLM, tokens: Mapping[str, int]) -> None:
    """Count what a call would have used."""
    counters = getattr(model, "_token_usage", None)
    if isinstance(counters, dict):
        for name, count in tokens.items():
            counters[name] = counters.get(name, 0) + count


def _tap_executors() -> None:
    """Give agents tools that are tapped, also those that MCP and memory add as a task begins."""
    original = Agent.create_agent_executor

    @functools.wraps(original)
    def create(self: Agent, tools: Any = None, task: Any = None) -> None:
        begin = _begin_tool.get()
        if begin is not None:
            given = tools if tools is not None else self.tools or []
            tools = [_tapped(tool, begin(self, task, tool)) for tool in given]
        original(self, tools, task)

    Agent.create_agent_executor = create  # type: ignore[method-assign]


def _tapped(tool: BaseTool, begin: Begin) -> BaseTool:
    """A copy of a tool whose answers go past somebody. The tool itself serves other runs too."""
    if type(tool).__module__.startswith(_RUN_AGAIN):
        return tool
    # What executors call in the end: `run` of a tool that is a function calls `func` itself.
    name = "func" if "func" in type(tool).model_fields else "_run"
    tapped = copy.copy(tool)
    object.__setattr__(tapped, name, _past(getattr(tool, name), begin))
    return tapped


def _past(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """A function whose answers go past somebody; async if the function is."""

    async def wait(answer: Any, asked: Answered) -> Any:
        with asked:
            return asked.answered(await answer)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def past_async(*args: Any, **kwargs: Any) -> Any:
            asked = begin(args, kwargs)
            if asked.is_served:
                return asked.serve()
            return await wait(function(*args, **kwargs), asked)

        return past_async

    @functools.wraps(function)
    def past(*args: Any, **kwargs: Any) -> Any:
        asked = begin(args, kwargs)
        if asked.is_served:
            return asked.serve()
        with asked:
            answer = function(*args, **kwargs)
            if not asyncio.iscoroutine(answer):
                return asked.answered(answer)
        return wait(answer, asked)

    return past


_tap_executors()
