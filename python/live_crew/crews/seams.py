"""The one place where crewai is imported; importing this module takes seconds.

Everything of CrewAI that is not its documented surface is reached through here and pinned by
`tests/python/crews/test_crewai_pins*.py`, so that a release that changes it fails in one file.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from live_crew.crews.missing import NOT_INSTALLED, is_not_installed

# Read while crewai is imported: no telemetry, no tracing prompt, no look at a package index.
for _name, _value in (
    ("CREWAI_DISABLE_TELEMETRY", "true"),
    ("CREWAI_TRACING_ENABLED", "false"),
    ("CREWAI_DISABLE_VERSION_CHECK", "true"),
):
    os.environ.setdefault(_name, _value)

with warnings.catch_warnings():
    # What crewai says of its own dependencies is nothing a program can act on.
    warnings.simplefilter("ignore")
    # The whole before its parts: a program that imports crewai meanwhile, on another thread, waits
    # for the whole, and each would wait for what the other has begun.
    try:
        import crewai  # noqa: F401
    except ImportError as error:
        if not is_not_installed(error):
            raise
        raise ModuleNotFoundError(NOT_INSTALLED, name="crewai") from None
    import crewai.agents.agent_builder.base_agent as _base_agent
    import crewai.task as _task
    from crewai import LLM, Agent, BaseLLM, Crew, CrewOutput, Process, Task
    from crewai.core.providers.human_input import set_provider
    from crewai.events.event_bus import crewai_event_bus as _bus
    from crewai.events.event_context import triggered_by_scope
    from crewai.events.event_listener import event_listener as _listener
    from crewai.events.stream_context import add_stream_sink
    from crewai.events.types.llm_events import LLMCallType
    from crewai.hooks.dispatch import HookAborted, InterceptionPoint, scoped_hooks
    from crewai.llms.base_llm import llm_call_context
    from crewai.project.crew_definition import CrewDefinition
    from crewai.project.crew_loader import load_crew_from_definition
    from crewai.tools import BaseTool
    from crewai.utilities.string_utils import sanitize_tool_name
    from crewai_core.printer import set_suppress_console_output

    from live_crew.crews.staying import stay
    from live_crew.crews.tuning import tune

    try:
        from crewai.agents.agent_executor import AgentExecutor
    except ImportError:  # where it was in older releases
        from crewai.experimental.agent_executor import (  # type: ignore[import-not-found,no-redef]
            AgentExecutor,
        )
    try:
        from crewai.execution import set_execution_uuid
    except ImportError:
        # Older releases trace a first run and ask about it, unless this is a test.
        from crewai.events.listeners.tracing.trace_listener import TraceCollectionListener
        from crewai.events.listeners.tracing.utils import set_suppress_tracing_messages

        os.environ.setdefault("CREWAI_TESTING", "true")
        TraceCollectionListener().first_time_handler.is_first_time = False

        def set_execution_uuid(execution_uuid: str) -> Any:  # type: ignore[misc]  # noqa: ARG001
            return set_suppress_tracing_messages(suppress=True)


from live_crew.crews.given import as_text  # noqa: E402
from live_crew.crews.quiet import take_back  # noqa: E402

__all__ = [
    "LLM",
    "Agent",
    "BaseLLM",
    "BaseTool",
    "Crew",
    "CrewDefinition",
    "CrewOutput",
    "HookAborted",
    "LLMCallType",
    "Process",
    "Task",
    "connect",
    "fresh_copy",
    "fresh_model",
    "is_crew",
    "llm_call_context",
    "load_crew_from_definition",
    "models_of",
    "sanitize_tool_name",
    "scope",
    "set_model",
    "usage",
    "usage_of",
]

Sink = Callable[[Any, Any], None]

# Whether the code that runs belongs to a run of live-crew; everything else is left as it is.
_is_ours: ContextVar[bool] = ContextVar("live_crew_run", default=False)


# -- process-wide, once ------------------------------------------------------------------------


def _once(module: Any, name: str) -> None:
    """Let data that was put into a text be data, whatever it looks like, in our runs."""
    original = getattr(module, name)

    def interpolate(input_string: str | None, inputs: dict[str, Any]) -> str:
        if not _is_ours.get() or not input_string or not inputs:
            return str(original(input_string=input_string, inputs=inputs))
        return _in_one_pass(input_string, inputs)

    setattr(module, name, interpolate)


_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")


def _in_one_pass(text: str, inputs: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in inputs:
            raise KeyError(f"Template variable '{name}' not found in inputs dictionary")
        return as_text(inputs[name])

    return _VARIABLE.sub(value, text)


_PROMPT = re.compile(r"\{(input|tool_names|tools)}")


def _prompt_in_one_pass() -> None:
    original = AgentExecutor._format_prompt  # noqa: SLF001

    def format_prompt(prompt: str, inputs: dict[str, str]) -> str:
        if not _is_ours.get():
            return str(original(prompt, inputs))
        return _PROMPT.sub(lambda match: inputs[match[1]], prompt)

    AgentExecutor._format_prompt = staticmethod(format_prompt)  # type: ignore[method-assign]  # noqa: SLF001


def _forget_tasks() -> None:
    """CrewAI lists each task that begins until it ends, which those given up never do."""
    spans = _listener.execution_spans
    _listener.execution_spans = WeakKeyDictionary(spans)  # type: ignore[assignment]


logging.getLogger("crewai").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", message="function callbacks cannot be serialized")
_once(_task, "interpolate_only")
_once(_base_agent, "interpolate_only")
_prompt_in_one_pass()
_forget_tasks()
tune(AgentExecutor)
stay(AgentExecutor, _bus, _listener, _is_ours.get)
take_back()


# -- templates and copies ----------------------------------------------------------------------


class _NoStore:
    """In place of CrewAI's table of the latest outputs, which concurrent runs would fight for."""

    def update(self, *_: Any, **__: Any) -> None: ...
    def add(self, *_: Any, **__: Any) -> None: ...
    def reset(self) -> None: ...
    def load(self) -> list[Any]:
        return []


_is_copying: ContextVar[bool] = ContextVar("live_crew_copying", default=False)


def _open_no_store() -> None:
    """Each copy of a crew would open that table, which is a database, before it is replaced."""
    attribute = Crew.__private_attributes__["_task_output_handler"]
    make = attribute.default_factory
    if make is not None:
        attribute.default_factory = lambda: _NoStore() if _is_copying.get() else make()


_open_no_store()


def is_crew(thing: object) -> bool:
    """Whether something is a `Crew`."""
    return isinstance(thing, Crew)


def fresh_copy(template: Crew) -> Crew:
    """A crew that shares nothing with the template that a run changes."""
    token = _is_copying.set(True)
    try:
        crew = template.copy()
    finally:
        _is_copying.reset(token)
    for task, original in zip(crew.tasks, template.tasks, strict=True):
        # A template that was kicked off before it came to us still knows what it said at first.
        task.description = original._original_description or task.description  # noqa: SLF001
        task.expected_output = original._original_expected_output or task.expected_output  # noqa: SLF001
    for agent, first in zip(crew.agents, template.agents, strict=True):
        agent.role = first._original_role or agent.role  # noqa: SLF001
        agent.goal = first._original_goal or agent.goal  # noqa: SLF001
        agent.backstory = first._original_backstory or agent.backstory  # noqa: SLF001
    crew._task_output_handler = _NoStore()  # type: ignore[assignment]  # noqa: SLF001
    for model in models_of(crew):
        _count_anew(model)
    return crew


def fresh_model(model: BaseLLM) -> BaseLLM:
    """A model that counts by itself."""
    fresh = copy.copy(model)
    _count_anew(fresh)
    return fresh


def _count_anew(model: BaseLLM) -> None:
    """Give a copy counters of its own; it shares those of what it was copied from."""
    counters = getattr(model, "_token_usage", None)
    if isinstance(counters, dict):
        model._token_usage = dict.fromkeys(counters, 0)  # noqa: SLF001


def agents_of(crew: Crew) -> list[Any]:
    """The agents of a crew and its manager."""
    return [*crew.agents, *([crew.manager_agent] if crew.manager_agent else [])]


_CREW_MODELS = ("manager_llm", "planning_llm", "function_calling_llm", "chat_llm")


def models_of(crew: Crew) -> list[BaseLLM]:
    """Every model that a crew may call, each once."""
    # From the dictionary: reading a deprecated field warns.
    found = [
        vars(agent).get(name)
        for agent in agents_of(crew)
        for name in ("llm", "function_calling_llm")
    ]
    found += [vars(crew).get(name) for name in _CREW_MODELS]
    return list({id(one): one for one in found if isinstance(one, BaseLLM)}.values())


def set_model(crew: Crew, model: BaseLLM) -> None:
    """Put one model in the place of all that a crew has."""
    for agent in agents_of(crew):
        agent.llm = model
        if vars(agent).get("function_calling_llm") is not None:
            agent.function_calling_llm = model
    for name in _CREW_MODELS:
        if vars(crew).get(name) is not None:
            setattr(crew, name, model)


def usage_of(crew: Crew) -> dict[str, int]:
    """The tokens that the models of a copy used: exact, since the counters are its own."""
    return usage(*models_of(crew))


def usage(*models: BaseLLM) -> dict[str, int]:
    """What models counted, together."""
    total: dict[str, int] = {}
    for model in models:
        for name, count in getattr(model, "_token_usage", {}).items():
            total[name] = total.get(name, 0) + count
    return {name: count for name, count in total.items() if count}


def connect(model: object) -> None:
    """Make the client of a model now; CrewAI puts off what fails, such as a missing API key."""
    make = getattr(model, "_get_sync_client", None)
    if make is not None and getattr(model, "_client", make) is None:
        make()


# -- one run -----------------------------------------------------------------------------------


class _Nobody:
    """Who answers in a live run when a task asks a person."""

    def handle_feedback(self, *_: Any, **__: Any) -> Any:
        raise HookAborted("`human_input: true` asks a person, and nobody is there", "live-crew")

    async def handle_feedback_async(self, *_: Any, **__: Any) -> Any:
        self.handle_feedback()

    def __getattr__(self, name: str) -> Any:
        from crewai.core.providers.human_input import SyncHumanInputProvider

        return getattr(SyncHumanInputProvider(), name)


def _start_bus() -> None:
    """The event that starts the loop of CrewAI's bus has its run held by it for good.

    Not when crewai is imported: a process that forks others must have no thread.
    """
    start = getattr(_bus, "_ensure_executor_initialized", None)
    if start is not None:
        contextvars.Context().run(start)


@contextlib.contextmanager
def scope(
    run: str, *, sink: Sink, before_call: Callable[[], None], note: str | None
) -> Iterator[None]:
    """What holds for one run: its name, who sees its events, what every task is told.

    `before_call` is asked before each call of a model or tool and may raise `HookAborted`; any
    other exception CrewAI would swallow. To be entered in a context of its own: a task.
    """

    def ask(_: Any) -> None:
        before_call()

    def tell(step: Any) -> str | None:
        if step.kind != "task" or note is None:
            return None
        return f"{step.payload}\n\n{note}" if step.payload else note

    _start_bus()
    _is_ours.set(True)
    set_execution_uuid(run)
    set_suppress_console_output(True)
    set_provider(_Nobody())  # type: ignore[arg-type]
    add_stream_sink(sink)
    points = InterceptionPoint
    hooks: dict[InterceptionPoint, list[Any]] = {
        points.PRE_MODEL_CALL: [ask],
        points.PRE_TOOL_CALL: [ask],
        points.PRE_STEP: [tell],
    }
    with triggered_by_scope(run), scoped_hooks(hooks):
        yield
