"""One event, one crew, no files and no loop: the smallest way to see a crew react.

>>> event = Event(ts="2026-01-01T00:00:00Z", kind="hello", stream_id="s", payload="Ada")
>>> MemoryScheduler().process(event, SimpleCrew("echo"))[0].payload
'Ada'
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._script import run_to_end
from live_crew.crews.template import is_crew_like
from live_crew.errors import HandlerError, LiveCrewError, ModelError
from live_crew.handlers import Handler, as_handler, kinds_of
from live_crew.models import Action, Event
from live_crew.timeslice import slice_index

if TYPE_CHECKING:
    from datetime import datetime

    from live_crew._core import Context
    from live_crew.result import RunResult

__all__ = ["MemoryScheduler", "SimpleCrew"]

_LONGEST_KIND = 50


class SimpleCrew(Handler[..., Any]):
    """A crew of one function, or of one answer that it always gives.

    `reply` is called with the event, and with `ctx` if it takes two; what cannot be called is the
    answer itself. Without it the crew echoes: one action `<name>_result` with the payload of the
    event. Keywords are the keys of `runtime.yaml`.
    """

    def __init__(self, name: str, reply: object = None, **runtime: Any) -> None:
        triggers = kinds_of(runtime.pop("triggers", "*"))
        super().__init__(_replier(name, reply), triggers, {**runtime, "crew": name})


class MemoryScheduler:
    """Hands events to crews, one at a time, and gives their actions back.

    The first event of a stream fixes where its slices begin. The context of a stream is kept from
    one event to the next, nothing else is. It works with and without a running event loop.

    `llm` stands in for the models of crews of CrewAI: a name, a mapping, or an object such as
    `ScriptedLLM("hello")`, with which they answer offline.
    """

    def __init__(self, slice_ms: int = 500, *, llm: object = None) -> None:
        self.slice_ms = slice_ms
        self._llm = llm
        self.context: dict[str, dict[str, Any]] = {}
        self._epochs: dict[str, datetime] = {}
        self._runs: Counter[tuple[str, str, int]] = Counter()

    def process(self, event: Event[Any] | Mapping[str, Any], crew: object) -> list[Action[Any]]:
        """Let a crew react to an event. A run that fails raises its `MultiCrewError`.

        A crew is a handler, a function of the event, or one of CrewAI: a `Crew`, a `@CrewBase`
        class or instance, something that returns one when it is called without arguments, or the
        folder of one. Those of CrewAI react to every kind and wait for nobody.
        """
        made, name = _event(event), _name_of(crew)
        epoch = self._epochs.get(made.stream_id, made.ts)
        result = _outside_of_loops(lambda: self._run(made, name, crew, epoch))
        if result.refused:
            raise LiveCrewError(f"the event was refused: {result.refused[0].reason}")
        self._epochs[made.stream_id] = epoch
        result.raise_for_errors()
        if result.counters["landed"]:
            self.context.update(result.context)
        # What is earlier than the first event comes late, and runs in slice 0.
        at = max(0, slice_index(made.ts, epoch, self.slice_ms))
        key = (made.stream_id, name, at)
        before = self._runs[key]
        self._runs[key] += 1
        return [_numbered(action, before) for action in result.actions]

    async def _run(self, event: Event[Any], name: str, crew: object, epoch: datetime) -> RunResult:
        from live_crew.orchestrator import Orchestrator

        orchestrator = Orchestrator(slice_ms=self.slice_ms, epoch=epoch, llm=self._llm)
        if is_crew_like(crew):
            orchestrator.register_crew(name, crew, triggers="*", needs=[])
            await orchestrator.load()
        else:
            orchestrator.register_handler(crew)
        known = self.context.get(event.stream_id, {})

        def give_context(context: Context) -> None:
            context.update(known)

        run = orchestrator._begin([event], watch=give_context)  # noqa: SLF001
        return await orchestrator._end(run, run.result())  # noqa: SLF001


def _replier(name: str, reply: object) -> Callable[..., Any]:
    if callable(reply):
        return reply
    if reply is not None:
        return lambda event: reply  # noqa: ARG005
    kind = f"{name.replace('-', '_').lstrip('_')}_result"[:_LONGEST_KIND]
    return lambda event: {"kind": kind, "payload": event.payload}


def _numbered(action: Action[Any], before: int) -> Action[Any]:
    """An action of a run that others of its crew came before in its slice: each begins anew."""
    if not before:
        return action
    run, _, _ = str(action.causation_id).rpartition(".")
    own = hashlib.blake2b(f"{action.id}/{before}".encode(), digest_size=16).hexdigest()
    return action.model_copy(update={"id": own, "causation_id": f"{run}.{before}"})


def _event(event: object) -> Event[Any]:
    if isinstance(event, Event):
        return event
    if isinstance(event, Mapping):
        return Event.model_validate(event)
    raise ModelError(
        f"{event!r} is no event; give `Event(ts=…, kind=…, stream_id=…, payload=…)` "
        "or a mapping of these"
    )


def _name_of(crew: object) -> str:
    """The name of a crew: its folder's, its own, or that of what makes it."""
    if isinstance(crew, (str, Path)) and Path(crew).is_dir():
        return _as_name(Path(crew).resolve().name)
    if not isinstance(crew, (str, Path)) and is_crew_like(crew):
        own = getattr(crew, "__name__", None) or getattr(crew, "name", None)
        return _as_name(own if isinstance(own, str) else type(crew).__name__)
    if callable(crew):
        return as_handler(crew).name
    raise HandlerError(
        f"{crew!r} is no crew; after the event give a handler, a function, `SimpleCrew(name)`, "
        "a `Crew` of CrewAI or its folder"
    )


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text).strip("_")[:64] or "crew"


def _outside_of_loops(make: Callable[[], Coroutine[Any, Any, RunResult]]) -> RunResult:
    """Run a coroutine to its end; where a loop runs already, on a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_to_end(make())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(context.run, lambda: asyncio.run(make())).result()
