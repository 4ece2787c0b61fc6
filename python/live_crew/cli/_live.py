"""A run that somebody watches, and ends with Ctrl-C."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from live_crew._core import Nats
from live_crew.cli._out import is_terminal, near, note, paint
from live_crew.cli._told import tell_errors, tell_refusals
from live_crew.cli._transport import events_of_stdin
from live_crew.errors import LiveCrewError
from live_crew.models import Event
from live_crew.orchestrator import Orchestrator
from live_crew.result import Refusal, RunResult

__all__ = ["Live"]

_LOOK_S = 0.2


class Live:
    """One run in real time: tells what fails as it happens, and how often it was asked to stop."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        stream: str | None,
        look: Callable[[], None] | None = None,
    ) -> None:
        self.refused: list[str] = []
        self.asked = 0
        self._orchestrator = orchestrator
        self._stream = stream
        self._look = look
        self._told_errors = 0
        self._told_refusals = 0
        self._stopped = asyncio.Event()
        self._stopping: list[asyncio.Task[None]] = []

    async def over(self, source: str | Nats | None, name: Path | None) -> RunResult:
        """Run over a pipe, which messages call `name`, over NATS, or over standard input."""
        running = asyncio.ensure_future(self._orchestrator.run(source or self._typed()))
        await asyncio.sleep(0)  # now it has begun, so that it can be stopped
        watching = asyncio.ensure_future(self._watch(name))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ask)
        try:
            return await running
        finally:
            watching.cancel()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            self._tell(name)

    async def _typed(self) -> AsyncIterator[Event[Any]]:
        """Events of standard input, of one stream if one was asked for."""
        if is_terminal(sys.stdin):
            note("type events, one JSON object a line; Ctrl-D ends")
        async for event in events_of_stdin(self._stopped, self._refuse):
            if self._stream in (None, event.stream_id):
                yield event

    def _refuse(self, problem: str) -> None:
        self.refused.append(problem)
        note(f"{paint('refused:', 'yellow', sys.stderr)} {problem}")

    def _ask(self) -> None:
        """Ctrl-C: once to finish what is under way, again to leave it."""
        self.asked += 1
        if self.asked == 1:
            note("finishing what is under way; Ctrl-C again to leave it")
        elif self.asked == 2:  # noqa: PLR2004 (a third one changes nothing)
            note("leaving")
        self._stopped.set()
        stop = self._stop(drain=self.asked == 1)
        self._stopping.append(asyncio.get_running_loop().create_task(stop))

    async def _stop(self, *, drain: bool) -> None:
        with suppress(LiveCrewError):  # whoever waits for the run says what went wrong
            await self._orchestrator.stop(drain=drain)

    async def _watch(self, name: Path | None) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._look is not None:
                self._look()
            self._tell(name)

    def _tell(self, name: Path | None) -> None:
        """Say what went wrong since the last time."""
        errors, refusals = self._orchestrator.errors, self._orchestrator.refused
        tell_errors(errors[self._told_errors :])
        tell_refusals([_named(refusal, name) for refusal in refusals[self._told_refusals :]])
        self._told_errors, self._told_refusals = len(errors), len(refusals)


def _named(refusal: Refusal, name: Path | None) -> Refusal:
    """A pipe has no name that says anything."""
    is_pipe = refusal.source.startswith("/dev/fd/")
    return replace(refusal, source=near(name)) if name and is_pipe else refusal
