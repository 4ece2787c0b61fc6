"""A crew as a participant of a plan: loaded in the background, handed every run of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from live_crew.crews.given import template_of
from live_crew.crews.job import CrewWork, Job
from live_crew.crews.lane import Lane, the_lane
from live_crew.crews.models import UnusableModelError, connect_model
from live_crew.crews.notes import Notes
from live_crew.crews.process.pool import process_lane
from live_crew.crews.process.spec import Place, spec_of
from live_crew.crews.process.work import ProcessWork
from live_crew.crews.quiet import take_back
from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew._core import Attempt, Run
    from live_crew.config import CrewRuntime
    from live_crew.config._origins import Origins
    from live_crew.crews.job import Work
    from live_crew.crews.traffic import Traffic

__all__ = ["CrewReactor"]


class CrewReactor:
    """Takes the runs of one crew to the crew lane.

    `source` is a folder, a `Crew`, a `@CrewBase` class or instance, a callable that returns one, or
    nothing for a crew that is a prompt in its runtime file.
    """

    def __init__(
        self,
        name: str,
        source: object,
        runtime: CrewRuntime,
        *,
        model: object = None,
        place: Place | None = None,
        said_by: Origins | None = None,
    ) -> None:
        self.name = name
        self._model = model
        self._said_by = said_by  # what says which model
        self._jobs: set[Job] = set()
        self._usage: Counter[str] = Counter()
        if source is not None and runtime.user_template is not None:
            said = "is a prompt beside a crew; remove this, or where the crew is"
            raise ConfigError(
                problems=[runtime.origins.problem(("user_template",), said, key=True)]
            )
        apart: ProcessWork | None = None
        if runtime.isolation == "process":
            apart = ProcessWork(spec_of(name, source, runtime, model=model, place=place))
        self._lane = the_lane if apart is None else process_lane
        if source is None:
            from live_crew.crews.prompt import PromptWork

            prompt = PromptWork(runtime, model)
            self._work: Any = prompt
            self.fingerprint = prompt.fingerprint
        else:
            from live_crew.crews.template import CrewTemplate

            template = CrewTemplate(name, source, model=model)
            self._work = CrewWork(template, template_of(runtime, "inputs"))
            mapped = json.dumps(runtime.inputs, sort_keys=True) if runtime.inputs else ""
            both = f"{template.fingerprint}\0{mapped}".encode()
            self.fingerprint = hashlib.blake2b(both, digest_size=16).hexdigest()
        # Where answers are served nothing is left that needs a process of its own.
        self._here = self._work
        if apart is not None:
            self._work = apart
        self._loaded: concurrent.futures.Future[None] | None = None
        self._loaded_here: concurrent.futures.Future[None] | None = None

    def begin_loading(self) -> None:
        """Build the crew on the lane, which imports CrewAI first."""
        take_back()
        if self._loaded is None:
            lane = self._lane()
            self._loaded = lane.submit(self._load(lane))

    async def load(self) -> None:
        """Wait until it can run; raises what is wrong with it."""
        self.begin_loading()
        if self._loaded is not None:
            await asyncio.shield(asyncio.wrap_future(self._loaded))

    async def connect(self) -> None:
        """Check more than a run does: that the model that stands in could be asked."""
        with self._placed():
            await asyncio.to_thread(connect_model, self._model)

    def submitter(self, traffic: Traffic | None = None) -> Callable[[Run], Job]:
        """What the core calls with each run; `traffic` sees what the runs ask."""
        work = self._work if traffic is None else traffic.around(self._work)

        def submit(run: Run) -> Job:
            lane = self._lane()
            job = Job(lane, run, self._count)
            self._jobs.add(job)
            lane.submit(self._do(job, work))
            return job

        return submit

    def take_usage(self) -> dict[str, int]:
        """The tokens its runs used since the last time it was asked."""
        usage, self._usage = dict(self._usage), Counter()
        return usage

    async def again(self, attempt: Attempt, traffic: Traffic | None) -> Any:
        """Do a recorded attempt again, for any loop; gives the answer."""
        # It is asked for what a run is asked for.
        run = cast("Run", attempt)
        work, lane = self._work, self._lane()
        if traffic is not None and work is not self._here:
            work, lane = self._here, the_lane()
            if self._loaded_here is None:
                await asyncio.wrap_future(lane.ready)
                self._loaded_here = lane.submit(work.load())
            await asyncio.shield(asyncio.wrap_future(self._loaded_here))
        if traffic is not None:
            work = traffic.around(work)

        async def do() -> Any:
            return await work(run, Notes(run), lambda: False)

        await self.load()
        return await asyncio.wrap_future(lane.submit(do()))

    def give_up(self) -> None:
        """Cancel what is under way."""
        for job in list(self._jobs):
            job.cancel()

    async def _load(self, lane: Lane) -> None:
        await asyncio.wrap_future(lane.ready)
        with self._placed():
            await self._work.load()

    @contextlib.contextmanager
    def _placed(self) -> Iterator[None]:
        """What is wrong with a model, told where it is said."""
        try:
            yield
        except UnusableModelError as error:
            if self._said_by is None:
                raise
            raise ConfigError(problems=[self._said_by.problem(("llm",), str(error))]) from error

    def _count(self, used: dict[str, int]) -> None:
        self._usage.update(used)

    async def _do(self, job: Job, work: Work) -> None:
        try:
            await job.do(work)
        finally:
            self._jobs.discard(job)


def model_for(runtime: CrewRuntime, given: object, configured: object, folder: Path) -> object:
    """Which model stands in: the crew's own, else the program's, else that of the configuration."""
    if runtime.llm is not None:
        source = runtime.source
        own = Path(source.document.file).resolve().parent if source else folder
        return _at_home(runtime.llm, own)
    return given if given is not None else _at_home(configured, folder)


def _at_home(model: object, folder: Path) -> object:
    """Names of files and modules start at the folder of the file that says them."""
    if isinstance(model, Mapping) and "script" in model:
        return {"script": str(folder / model["script"])}
    if isinstance(model, Mapping) and "python" in model:
        return {**model, "folder": str(folder)}
    return model
