"""The orchestrator: crews, the events they react to, and everything that can be asked of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from live_crew._core import Journal, Nats, Plan
from live_crew._script import run_to_end
from live_crew.errors import ConfigError, LiveCrewError, MultiCrewError
from live_crew.handlers import Handler, as_handler
from live_crew.models import Action, Event
from live_crew.participants import Participant, participants_of
from live_crew.run import LiveRun
from live_crew.timeslice import checked_slice
from live_crew.transports import EventTransport

if TYPE_CHECKING:
    from live_crew.config import LiveConfig, Pace
    from live_crew.crews.tape import Tape
    from live_crew.crews.traffic import Traffic
    from live_crew.replay import ReplayMode, ReplayResult
    from live_crew.result import Progress, Refusal, RunResult
    from live_crew.run import Watch

__all__ = ["CrewOrchestrator", "Orchestrator"]

Source = str | Path | EventTransport | Nats | Iterable[Any] | AsyncIterable[Any]


class Orchestrator:
    """Runs crews over streams of events, in a deterministic order.

    Keywords are the keys of `live_crew_config.yaml`. `journal` may be a path, `transport` and
    `context` objects with the protocols of `live_crew.transports`.
    """

    def __init__(self, *, config: LiveConfig | str | Path | None = None, **settings: Any) -> None:
        from live_crew.settings import Settings

        self._settings = Settings.of(config, settings)
        self._participants: dict[str, Participant] = {}
        self._source: Source | None = None
        self._journal = self._settings.open_journal()
        self._traffic: Traffic | None = None
        self._run: LiveRun | None = None
        self._result: RunResult | None = None
        self._progress: Progress | None = None
        for participant in participants_of(self._settings.config, self._settings.model):
            self._add(participant)

    # -- made from files -------------------------------------------------------------------

    @classmethod
    def from_file(cls, events: str | Path, **settings: Any) -> Orchestrator:
        """Make an orchestrator that runs over a file of events."""
        orchestrator = cls(**settings)
        orchestrator._source = events
        return orchestrator

    @classmethod
    def from_config(cls, path: str | Path | None = None, **settings: Any) -> Orchestrator:
        """Make an orchestrator as a configuration file says; without a path it is looked for."""
        from live_crew.config import load_config

        return cls(config=load_config(path), **settings)

    # -- crews -----------------------------------------------------------------------------

    def register_handler(
        self, handler: Any, kinds: object = None, **runtime: Any
    ) -> Handler[..., Any]:
        """Add a function; `kinds` and the keys of `runtime.yaml` override its decorator's."""
        made = as_handler(handler, kinds, runtime)
        self._add(Participant.from_handler(made))
        return made

    def register_crew(self, name: str, crew: Any, triggers: object = None, **runtime: Any) -> None:
        """Add a crew under a name; keywords are the keys of `runtime.yaml`.

        A crew is a `Crew`, a `@CrewBase` class or instance, something that returns one when it is
        called without arguments, the folder of one, or a handler. It is never changed: each run is
        a copy. `llm` may be an object too.
        """
        if triggers is not None:
            several = isinstance(triggers, Iterable) and not isinstance(triggers, str)
            runtime["triggers"] = list(triggers) if several else [triggers]  # type: ignore[call-overload]
        settings = self._settings
        made = Participant.from_crew(
            name, crew, runtime, config=settings.config, model=settings.model
        )
        self._add(made)

    def with_crews(self, crews: Mapping[str, Any]) -> Orchestrator:
        """Add several: a name to a handler, or to a mapping with `crew` and `runtime.yaml` keys."""
        if not isinstance(crews, Mapping):
            raise ConfigError(f"crews are a mapping, not {crews!r}; give `{{'name': crew}}`")
        for name, crew in crews.items():
            if isinstance(crew, Mapping):
                runtime = dict(crew)
                try:
                    what = runtime.pop("crew")
                except KeyError:
                    raise ConfigError(
                        f"`{name}` names no `crew`; give {{'crew': …, 'triggers': […]}}"
                    ) from None
                self.register_crew(name, what, **runtime)
            else:
                self.register_crew(name, crew)
        return self

    @property
    def crews(self) -> list[str]:
        """The names of the crews, in the order in which a slice takes them."""
        return self.plan().crews

    def plan(self, pace: Pace | None = None) -> Plan:
        """Check the crews against each other; raises `PlanError` with everything that is wrong."""
        pace = pace or self._settings.pace_for(self._source)
        crews = [participant.core() for participant in self._participants.values()]
        return Plan(crews, self._settings.core(pace), pace)

    async def load(self, crew: str | None = None) -> None:
        """Wait for the crews, or one, which load in the background; raises what is wrong with them.

        `run` and `start` do so by themselves.
        """
        recorder = self._settings.recorder
        serves = recorder is not None and recorder.serves
        for name, participant in self._participants.items():
            if participant.crew is not None and crew in (None, name):
                await participant.crew.load(serves=serves)

    # -- runs ------------------------------------------------------------------------------

    async def run(
        self, source: Source | None = None, *, actions: str | Path | None = None
    ) -> RunResult:
        """Run over a source until it ends: a file, `"-"`, events, or an async iterator of them.

        Files and events run in virtual time, as fast as possible. With `actions` the actions are
        written to that file as JSON Lines and not kept in the result.
        """
        given = self._source if source is None else source
        if given is None:
            given = self._settings.default_source()
        if given is None:
            raise ConfigError(
                'there is nothing to run over; give a source: `run("events.json")`, '
                "or use `start()` and `publish()`"
            )
        await self.load()
        run = self._begin(given, actions=actions)
        return await self._end(run, run.result())

    def run_sync(
        self, source: Source | None = None, *, actions: str | Path | None = None
    ) -> RunResult:
        """`run`, for scripts."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run_to_end(self.run(source, actions=actions))
        raise LiveCrewError(
            "`run_sync` is for scripts; an event loop runs here, so use `await orchestrator.run(…)`"
        )

    async def start(self) -> None:
        """Begin to take in what `publish` gives, in real time.

        On NATS it is connected when this returns; a server that is away raises `TransportError`.
        """
        await self.load()
        place = self._settings.place() if self._settings.is_on_nats else None
        if place is not None:
            await asyncio.to_thread(place.connect)
        self._begin(place)

    async def publish(self, event: Event[Any] | Mapping[str, Any]) -> None:
        """Hand over an event; waits while ten thousand are waiting already."""
        await self._live().publish(event)

    async def actions(self) -> AsyncIterator[Action[Any]]:
        """Yield actions as slices are committed, until the run has stopped."""
        async for action in self._live().actions():
            yield action

    async def stop(self, *, drain: bool = True) -> RunResult:
        """Finish what is under way and end; without `drain`, end at once."""
        run = self._live()
        return await self._end(run, run.stop(drain=drain))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._run is not None:
            await self.stop(drain=error is None)

    @property
    def result(self) -> RunResult | None:
        """What the last run gave."""
        return self._result

    # -- questions -------------------------------------------------------------------------

    @property
    def errors(self) -> list[MultiCrewError]:
        """What failed so far in this run, or in the last one."""
        if self._run is not None:
            return self._run.errors()
        return [] if self._result is None else self._result.errors

    @property
    def refused(self) -> list[Refusal]:
        """The input that was refused so far in this run, or in the last one."""
        if self._run is not None:
            return self._run.refused()
        return [] if self._result is None else self._result.refused

    @property
    def progress(self) -> Progress | None:
        """How far this run is, or how far the last one came; from any thread."""
        run = self._run
        return self._progress if run is None else run.progress()

    @property
    def journal(self) -> Journal:
        """Where everything is written down."""
        return self._journal

    def explain(self, crew: str, slice: int, *, stream_id: str | None = None) -> str:  # noqa: A002
        """Say why a crew ran, waits, or did not run in a slice."""
        from live_crew.story import story

        at = checked_slice(slice)
        return story(self._journal.explain(self._stream(stream_id), crew, at))

    def context_at(self, stream_id: str, slice: int) -> dict[str, Any]:  # noqa: A002
        """Give the context of a stream as it was after a slice."""
        context: dict[str, Any] = self._journal.context_at(stream_id, checked_slice(slice))
        return context

    def get_error_details(self, crew: str, slice: int | None = None) -> MultiCrewError | None:  # noqa: A002
        """Give the last error of a crew, of one slice if given: needs, context, what helps."""
        if crew not in self._participants:
            raise self._unknown(crew)
        fitting = [e for e in self.errors if e.crew == crew and slice in (None, e.slice)]
        return fitting[-1] if fitting else None

    async def replay(
        self,
        journal: str | Path | None = None,
        mode: ReplayMode = "reexecute",
        *,
        stream_id: str | None = None,
        first: int | None = None,
        last: int | None = None,
        crew: str | None = None,
    ) -> ReplayResult:
        """Run every recorded attempt again with what it was given then, and compare.

        `reexecute` serves what models and tools answered then, so none of them is called; `live`
        calls them. Without `journal` it is that of the orchestrator; `first` and `last` are
        slices. Nothing is published or written; handlers are called again in both modes.
        """
        from live_crew.replay import Replay

        if crew is not None and crew not in self._participants:
            raise self._unknown(crew)
        for bound in (first, last):
            if bound is not None:
                checked_slice(bound)
        replay = Replay(self._participants, self.plan(), mode, self._recorded(journal))
        return await replay.run(stream_id, first, last, crew)

    # -- inside ----------------------------------------------------------------------------

    def _unknown(self, crew: str) -> LiveCrewError:
        from live_crew._words import did_you_mean

        return LiveCrewError(f"there is no crew `{crew}`{did_you_mean(crew, self._participants)}")

    def _recorded(self, path: str | Path | None) -> tuple[Journal, Tape]:
        """A journal and its traffic, to be read."""
        from live_crew.crews.tape import Tape, tape_beside

        mine = self._traffic.tape if self._traffic is not None else Tape()
        if path is None and self._journal.path is None:
            return self._journal, mine
        path = self._journal.path if path is None else path
        return Journal.file(str(path)), Tape(tape_beside(path), is_readonly=True)

    def _add(self, participant: Participant) -> None:
        if participant.name in self._participants:
            raise ConfigError(
                f"there is a crew `{participant.name}` already; "
                "give this one another name with `crew=`"
            )
        self._participants[participant.name] = participant
        if participant.crew is not None:
            participant.crew.begin_loading()

    def _begin(
        self,
        source: Source | None,
        *,
        actions: str | Path | None = None,
        watch: Watch | None = None,
    ) -> LiveRun:
        if self._run is not None:
            raise LiveCrewError(
                "the orchestrator is running already; `stop()` it, or make another one"
            )
        pace = self._settings.pace_for(source)
        plan = self.plan(pace)
        if self._result is not None and self._result.ending == "finished":
            # Its streams have ended and take no more: in memory another run begins anew.
            self._journal, self._traffic = self._settings.open_journal(), None
        self._result = None
        if self._traffic is None and any(one.crew for one in self._participants.values()):
            self._traffic = self._settings.open_traffic(self._journal)
        self._run = LiveRun(
            plan,
            self._participants,
            self._settings,
            self._journal,
            source,
            actions=actions,
            watch=watch,
            traffic=self._traffic,
        )
        return self._run

    async def _end(self, run: LiveRun, ended: Coroutine[Any, Any, RunResult]) -> RunResult:
        try:
            self._result = await ended
        finally:
            run.close()
            self._progress = run.progress()
            self._run = None
        return self._result

    def _live(self) -> LiveRun:
        if self._run is None:
            raise LiveCrewError(
                "the orchestrator is not running; `await orchestrator.start()` first"
            )
        return self._run

    def _stream(self, stream_id: str | None) -> str:
        if stream_id is not None:
            return stream_id
        streams = [summary["stream_id"] for summary in self._journal.streams()]
        if len(streams) == 1:
            return str(streams[0])
        known = ", ".join(f"`{stream}`" for stream in streams[:5]) or "none yet"
        raise LiveCrewError(f"say which stream with `stream_id=`; the journal has {known}")


CrewOrchestrator = Orchestrator
