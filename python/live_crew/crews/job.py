"""One run of a crew on the lane: a fresh copy, what holds for it, its kickoff, its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from live_crew.crews.answer import answer_of
from live_crew.crews.given import context_note, inputs_of
from live_crew.crews.notes import Notes
from live_crew.crews.tap import tap
from live_crew.crews.tools import reading_and_writing
from live_crew.errors import HandlerExit, LiveCrewError

if TYPE_CHECKING:
    from live_crew._core import Run, Template
    from live_crew.crews.lane import Lane
    from live_crew.crews.template import CrewTemplate

__all__ = ["CrewWork", "Work"]

# What does a run: it returns the answer.
Work = Callable[["Run", Notes, Callable[[], bool]], Awaitable[Any]]


class CrewWork:
    """Runs of one crew."""

    def __init__(self, template: CrewTemplate, inputs: Template | None) -> None:
        self._template = template
        self._inputs = inputs

    async def load(self) -> None:
        """Build the template, beside everything else that is loaded."""
        await asyncio.to_thread(self._template.build)

    async def connect(self) -> None:
        """See that its models could be asked, before the first run that may ask them."""
        await asyncio.to_thread(self._template.connect)

    async def __call__(self, run: Run, notes: Notes, is_over: Callable[[], bool]) -> Any:
        """Do one run."""
        from live_crew.crews import seams

        crew = self._template.copy()
        tap(crew, notes)
        inputs = inputs_of(run, self._inputs, self._template.defaults)

        def before_call() -> None:
            if is_over():
                # The thread of a run that was given up stops at its next call.
                raise seams.HookAborted("the run is over", "live-crew")

        name = f"{run.stream_id}/{run.crew}/{run.run}#{run.attempt}"
        note = context_note(inputs["context"])
        try:
            with (
                seams.scope(name, sink=notes.see, before_call=before_call, note=note),
                reading_and_writing(run.ctx),
            ):
                output = await crew.akickoff(inputs=inputs)
        finally:
            notes.use(seams.usage_of(crew))
        if getattr(output, "has_tool_failures", False):
            notes.warn("the crew answered although tools failed")
        return answer_of(output)


class Job:
    """A run that was handed to the lane. The core may cancel it."""

    def __init__(self, lane: Lane, run: Run, use: Callable[[dict[str, int]], object]) -> None:
        self.run = run
        self._lane = lane
        self._use = use
        self._is_over = False
        self._task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Stop working on it; from any thread."""
        self._is_over = True
        self._lane.call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def do(self, work: Work) -> None:
        """Do it and tell the core, whatever comes of it."""
        self._task = asyncio.current_task()
        run, notes, began = self.run, Notes(self.run), time.perf_counter()
        try:
            if self._is_over:
                raise asyncio.CancelledError  # noqa: TRY301
            answer = await work(run, notes, lambda: self._is_over)
        except SystemExit as error:
            run.fail(HandlerExit(error.code), self._told(notes, began))
        except asyncio.CancelledError:
            self._is_over = True
            run.fail(LiveCrewError("the run was given up"), self._told(notes, began))
        except BaseException as error:  # noqa: BLE001 (nothing a crew raises may end the lane)
            run.fail(notes.redactor.error(error), self._told(notes, began))
        else:
            run.complete(answer, self._told(notes, began))
        finally:
            self._is_over = True

    def _told(self, notes: Notes, began: float) -> list[dict[str, Any]]:
        # Before the run is over: the result of the last one counts them.
        self._use(notes.usage)
        notes.add("took", ms=round((time.perf_counter() - began) * 1000, 1))
        return notes.all()
