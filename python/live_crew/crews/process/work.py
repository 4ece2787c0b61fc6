"""Runs of one crew, each in a process that does nothing else meanwhile."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from live_crew._core import Text
from live_crew.crews.process.given import apply, given_of
from live_crew.crews.process.limits import can_bound_memory, out_of_memory
from live_crew.crews.process.pool import process_lane, the_pool
from live_crew.crews.process.spec import Spec, is_child
from live_crew.crews.process.wire import restored
from live_crew.crews.traffic import Recorded, current
from live_crew.errors import ConfigError, HandlerExit, LiveCrewError

if TYPE_CHECKING:
    from live_crew._core import Run
    from live_crew.crews.lane import Lane
    from live_crew.crews.notes import Notes

__all__ = ["ProcessWork"]


class ProcessWork:
    """Does the runs of a crew in other processes; has the interface of `CrewWork`."""

    def __init__(self, spec: Spec) -> None:
        _check(spec)
        self._spec = spec

    async def load(self) -> None:
        """Start the fork server if none is there, and see that the crew loads in a child."""
        if "crewai" in sys.modules:
            # The program has imported it: its telemetry and signals are dealt with here too.
            await asyncio.to_thread(importlib.import_module, "live_crew.crews.seams")
        await the_pool().load(self._spec)
        weakref.finalize(self, _let_go, process_lane(), self._spec).atexit = False

    async def connect(self) -> None:
        """The child that loaded it has done so."""

    async def __call__(self, run: Run, notes: Notes, _is_over: Callable[[], bool]) -> Any:
        """Do one run. Whoever cancels it has its process killed at once."""
        extra = {
            "stream_id": run.stream_id,
            "slice": run.slice,
            "crew": run.crew,
            "run": run.run,
            "attempt": run.attempt,
        }
        heard = current.get()
        pool = the_pool()
        worker = await pool.take(self._spec)
        try:
            given = given_of(run, is_recorded=isinstance(heard, Recorded))
            what, *about = await worker.do(given, notes, extra)
        except BaseException:
            pool.replace(worker)
            raise
        if what == "exited":
            pool.replace(worker)
            raise HandlerExit(about[0])
        pool.give(worker)
        if isinstance(heard, Recorded):
            heard.take(*about.pop())
        if what == "raised":
            error = restored(about[0])
            if isinstance(error, MemoryError) and self._spec.limits.memory_mb is not None:
                raise LiveCrewError(out_of_memory(self._spec.limits)) from error
            raise error
        answer, is_text, changes = about
        if run.ctx is not None:
            apply(changes, run.ctx)
        return Text(answer) if is_text else answer


def _check(spec: Spec) -> None:
    if not hasattr(os, "fork"):
        raise ConfigError(
            f"crew `{spec.name}` has `isolation: process`, which this system cannot do; "
            "remove it, or run on Linux or macOS"
        )
    if spec.limits.memory_mb is not None and not can_bound_memory():
        raise ConfigError(
            f"crew `{spec.name}` has `memory_mb`, which works on Linux alone, "
            f"not on {sys.platform}; remove it"
        )
    if is_child():
        raise ConfigError(
            "this program starts live-crew again when it is imported, as the process of a run "
            'does; put what starts it below `if __name__ == "__main__":`'
        )


def _let_go(lane: Lane, spec: Spec) -> None:
    if lane.is_of_this_process:
        lane.call_soon(lambda: the_pool().let_go(spec))
