"""What CrewAI hands to other threads although it takes no time: our runs do it where they are.

A kickoff of one task goes to a thread 26 times and calls a model once. Each way there and back
costs more than what is done there, and with many runs at once they wait for each other's. Only
runs of live-crew are changed, and each part is left out where a release of CrewAI is another one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

__all__ = ["QUICK", "Asyncio", "stay"]

# Steps of the loop of agents that ask no model, call no tool and wait for nobody.
QUICK = (
    "check_todos_available",
    "initialize_reasoning",
    "continue_iteration",
    "check_max_iterations",
    "route_by_answer_type",
)
# Who prints panels and sends spans, and who collects traces: nothing of that is done in our runs,
# and older releases keep what they collect for ever.
_CONSOLE = "crewai.events.event_listener"
_TRACES = "crewai.events.listeners.tracing.trace_listener"

IsOurs = Callable[[], bool]


def stay(executor: Any, bus: Any, listener: Any, is_ours: IsOurs) -> None:
    """Keep steps and events of our runs on the thread they are on."""
    _keep_steps(executor, is_ours)
    _keep_events(bus, listener, is_ours)
    _skip_absent_files(is_ours)


class Asyncio:
    """`asyncio` as the runtime of flows sees it, which uses it to send steps to threads."""

    def __init__(self, quick: frozenset[Any], is_ours: IsOurs) -> None:
        self._quick = quick
        self._is_ours = is_ours

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def to_thread(self, function: Any, /, *args: Any, **named: Any) -> Any:
        """Do at once what takes no time, and send the rest to a thread."""
        if self._is_ours() and self._takes_no_time(function, args):
            return function(*args, **named)
        return await asyncio.to_thread(function, *args, **named)

    def _takes_no_time(self, function: Any, args: tuple[Any, ...]) -> bool:
        flow = getattr(function, "__self__", None)
        name = getattr(function, "__name__", None)
        if name == "run" and args:  # `Context.run` of a step
            return getattr(args[0], "_meth", None) in self._quick
        if name == "_persist_method_completion":
            # Nothing is written where nobody asked for it.
            return not _persists(flow, args[0])
        if name == "flush":
            return not getattr(flow, "_has_pending_events", True)
        return name == "_drain_memory_writes" and getattr(flow, "memory", True) is None


def _persists(flow: Any, step: Any) -> bool:
    definition = flow._definition  # noqa: SLF001
    return bool(definition.persist or definition.methods[str(step)].persist)


def _keep_steps(executor: Any, is_ours: IsOurs) -> None:
    from crewai.flow import runtime

    steps: list[Any] = [getattr(executor, name, None) for name in QUICK]
    quick = frozenset(step._meth for step in steps if hasattr(step, "_meth"))  # noqa: SLF001
    if getattr(runtime, "asyncio", None) is asyncio:
        runtime.asyncio = Asyncio(quick, is_ours)  # type: ignore[attr-defined,assignment]


def _keep_events(bus: Any, listener: Any, is_ours: IsOurs) -> None:
    """An event goes to a pool of threads to be printed, which our runs are not."""
    prepare, emit = getattr(bus, "_prepare_event", None), bus.emit
    if prepare is None or not hasattr(bus, "_handler_dependencies"):
        return
    telemetry = getattr(listener, "_telemetry", None)
    traces = os.environ.get("CREWAI_TRACING_ENABLED", "").lower() in ("1", "true")
    idle = {_CONSOLE} if traces else {_CONSOLE, _TRACES}

    def quietly(source: Any, event: Any) -> Any:
        if is_ours() and not getattr(telemetry, "ready", True):
            sort = type(event)
            heard = bus._sync_handlers.get(sort, ())  # noqa: SLF001
            others = sort in bus._async_handlers or sort in bus._handler_dependencies  # noqa: SLF001
            if not others and all(one.__module__ in idle for one in heard):
                prepare(source, event)
                return None
        return emit(source, event)

    bus.emit = quietly


def _skip_absent_files(is_ours: IsOurs) -> None:
    """Without its cache CrewAI starts a thread with a loop four times a run to find nothing."""
    import crewai.utilities.file_store as files

    if files._file_store is not None:  # noqa: SLF001
        return
    original = files._run_sync  # noqa: SLF001

    def run_sync(coroutine: Any) -> Any:
        if not is_ours():
            return original(coroutine)
        coroutine.close()
        return None

    files._run_sync = run_sync  # type: ignore[assignment]  # noqa: SLF001
