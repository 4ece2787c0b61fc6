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

# Within it, what is wrong with a model is told with its place.
_Placed = Callable[[], contextlib.AbstractContextManager[None]]


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
        self._here = _Site(self._work, the_lane)
        self._site = self._here if apart is None else _Site(apart, process_lane)

    def begin_loading(self) -> None:
        """Build the crew on the lane, which imports CrewAI first."""
        take_back()
        self._site.begin_loading(self._placed)

    async def load(self, *, serves: bool = False) -> None:
        """Wait until it can run; raises what is wrong with it.

        Where recorded answers are served its models are not asked, and need no key.
        """
        site = self._here if serves else self._site
        await site.load(self._placed)
        if not serves:
            await site.connect(self._placed)

    async def connect(self) -> None:
        """Check more than a run does: that the model that stands in could be asked."""
        with self._placed():
            await asyncio.to_thread(connect_model, self._model)

    def submitter(self, traffic: Traffic | None = None) -> Callable[[Run], Job]:
        """What the core calls with each run; `traffic` sees what the runs ask."""
        site = self._here if traffic is not None and traffic.serves else self._site
        work = site.work if traffic is None else traffic.around(site.work)

        def submit(run: Run) -> Job:
            lane = site.lane()
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
        site = self._site if traffic is None else self._here
        work = site.work if traffic is None else traffic.around(site.work)

        async def do() -> Any:
            return await work(run, Notes(run), lambda: False)

        await self.load(serves=traffic is not None)
        return await asyncio.wrap_future(site.lane().submit(do()))

    def give_up(self) -> None:
        """Cancel what is under way."""
        for job in list(self._jobs):
            job.cancel()

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


class _Site:
    """Where the runs of a crew are done: on the lane of CrewAI, or in processes."""

    def __init__(self, work: Any, lane: Callable[[], Lane]) -> None:
        self.work = work
        self.lane = lane
        self._loaded: concurrent.futures.Future[None] | None = None
        self._connected: concurrent.futures.Future[None] | None = None

    def begin_loading(self, placed: _Placed) -> concurrent.futures.Future[None]:
        """Load the work, once."""
        if self._loaded is None:
            lane = self.lane()
            self._loaded = lane.submit(self._load(lane, placed))
        return self._loaded

    async def load(self, placed: _Placed) -> None:
        """Wait until it is loaded."""
        await asyncio.shield(asyncio.wrap_future(self.begin_loading(placed)))

    async def connect(self, placed: _Placed) -> None:
        """See that what is loaded could be asked, once."""
        if self._connected is None:
            self._connected = self.lane().submit(self._connect(placed))
        await asyncio.shield(asyncio.wrap_future(self._connected))

    async def _load(self, lane: Lane, placed: _Placed) -> None:
        await asyncio.wrap_future(lane.ready)
        with placed():
            await self.work.load()

    async def _connect(self, placed: _Placed) -> None:
        with placed():
            await self.work.connect()


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
