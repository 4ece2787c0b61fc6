"""`Recorder`: what models and tools answered once, served to tests for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew.crews.serving import Serving
from live_crew.crews.tape import Tape
from live_crew.crews.traffic import Recording
from live_crew.errors import LiveCrewError

if TYPE_CHECKING:
    from live_crew.crews.job import Work

__all__ = ["RecordedCall", "Recorder"]


@dataclass(frozen=True)
class RecordedCall:
    """One answer of a model or a tool."""

    # `stream/crew/run`, and which attempt it was if there were several.
    run: str
    agent: str
    task: str | None
    # `llm` or `tool`
    sort: str
    # Of the tool, or of the model.
    name: str | None
    # As JSON; of an exception its class and text.
    answer: Any
    is_error: bool
    tokens: dict[str, int]


class Recorder:
    """Records what crews ask models and tools, and serves the answers to later runs.

    Record once, with a key, into memory or a file:

    ```python
    recorder = Recorder("tape.db")
    CrewOrchestrator(config="live_crew_config.yaml", recorder=recorder).run_sync("events.jsonl")
    ```

    From then on the same run needs no model, no key and no network, and no tool does anything:

    ```python
    def test_the_crews():
        with Recorder("tape.db").serving() as recorder:
            orchestrator = CrewOrchestrator(config="live_crew_config.yaml", recorder=recorder)
            assert orchestrator.run_sync("events.jsonl").ok
    ```

    At the end of the block an `AssertionError` tells what was asked otherwise than it was
    recorded: a prompt that has changed, a question that is new, an answer nobody wanted. Then
    record again. A run that is recorded again replaces what there was of it. A recorder stands in
    for the traffic beside a journal.
    """

    __test__ = False

    def __init__(self, path: str | Path | None = None) -> None:
        self.tape = Tape(path)
        self._traffic: Recording | Serving = Recording(self.tape)

    @property
    def calls(self) -> list[RecordedCall]:
        """What was recorded, run after run, in the order in which it was asked."""
        found = []
        for key, call in self.tape.all():
            if call.place.sort == "count":
                continue
            again = f"#{key.attempt}" if key.attempt > 1 else ""
            answer = call.answer
            if call.is_error:
                answer = {"class": answer["class"].rpartition(":")[2], "text": answer["text"]}
            found.append(
                RecordedCall(
                    run=f"{key.stream_id}/{key.crew}/{key.run}{again}",
                    agent=call.place.agent,
                    task=call.task_name,
                    sort=call.place.sort,
                    name=call.place.name or call.model,
                    answer=answer,
                    is_error=call.is_error,
                    tokens=call.tokens,
                )
            )
        self.tape.close()
        return found

    @contextlib.contextmanager
    def serving(self) -> Iterator[Recorder]:
        """Within it, orchestrators with this recorder are answered from what is recorded."""
        if not self.tape.is_there:
            where = "this recorder" if self.tape.path is None else f"`{self.tape.path}`"
            raise LiveCrewError(f"nothing is recorded in {where}; run with the recorder first")
        recording, serving = self._traffic, Serving(self.tape)
        self._traffic = serving
        try:
            yield self
        finally:
            self._traffic = recording
            self.tape.close()
        if found := _told(serving):
            raise AssertionError("\n".join(found))

    # -- for the orchestrator ------------------------------------------------------------------

    @property
    def serves(self) -> bool:
        """Whether runs are answered from what is recorded."""
        return self._traffic.serves

    def start(self) -> None:
        """Called before the first run."""
        self._traffic.start()

    def finish(self) -> None:
        """Called after the last run."""
        self._traffic.finish()

    def around(self, work: Work) -> Work:
        """Work that is recorded or served, whichever it is when a run begins."""

        async def around(*args: Any) -> Any:
            return await self._traffic.around(work)(*args)

        return around


def _told(serving: Serving) -> list[str]:
    """Everything that was asked otherwise, and the runs that did not come."""
    lines = []
    for key in sorted(serving.served, key=str):
        for one in serving.mismatches(key):
            lines.append(f"{key.stream_id}/{key.crew}/{key.run}: {one.field}")
            if one.what == "request":
                lines[-1] += f" differs\n  recorded  {one.recorded}\n  now       {one.now}"
    missed = serving.tape.runs() - set(serving.served)
    serving.tape.close()
    names = sorted(f"{key.stream_id}/{key.crew}/{key.run}" for key in missed)
    return [*lines, *(f"{name}: was recorded and did not run" for name in names)]
