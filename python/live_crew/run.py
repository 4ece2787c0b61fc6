"""One run of an orchestrator, on the event loop that began it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._core import Bodies, Context, Journal, Nats, Plan, Session
from live_crew._drive import Drive
from live_crew._ends import Watchful, check_apart, name_of, outputs, stream_of
from live_crew._suggestions import suggestions_for
from live_crew._tasks import Tasks
from live_crew._workers import Workers
from live_crew.errors import (
    ConfigError,
    LiveCrewError,
    ModelError,
    MultiCrewError,
    TransportError,
)
from live_crew.models import Action, Event
from live_crew.result import Actions, Progress, Refusal, RunResult
from live_crew.transports import EventTransport

if TYPE_CHECKING:
    from live_crew.crews.traffic import Traffic
    from live_crew.participants import Participant
    from live_crew.settings import Settings

_KEPT_ACTIONS = 10_000
_KEPT_PROBLEMS = 1_000

__all__ = ["LiveRun", "Watch"]

Message = tuple[str, str | None, bytes]
Member = tuple[str, Callable[..., Any], str, bool, Any]
# Told the context of each run as it starts.
Watch = Callable[[Context], None]


class LiveRun:
    """A session of the core with everything Python adds: sources, transports, results."""

    def __init__(
        self,
        plan: Plan,
        participants: Mapping[str, Participant],
        settings: Settings,
        journal: Journal,
        source: Any,
        *,
        actions: str | Path | None = None,
        watch: Watch | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        # These may be refused, so they come before all that would have to be ended.
        stream = stream_of(source)
        out = outputs(actions, settings)
        check_apart(source, out)
        self._settings = settings
        self._traffic = traffic
        self._journal = journal
        self._workers = Workers()
        self._tasks = Tasks()
        self._errors: list[MultiCrewError] = []
        self._refused: list[Refusal] = []
        self._causes: dict[tuple[str, str, str], tuple[int, BaseException]] = {}
        self._bodies = Bodies()
        # How many of them `actions()` has given.
        self._given = 0
        self._pump: asyncio.Task[None] | None = None
        self._summary: dict[str, Any] | None = None
        self._source_error: BaseException | None = None
        self._crews = [one.crew for one in participants.values() if one.crew is not None]
        self._is_live = source is None or isinstance(source, (EventTransport, AsyncIterable, Nats))
        self._nats = source if isinstance(source, Nats) else None
        self._keeps = out is None and settings.actions is None
        if traffic is not None:
            traffic.start()
        members = [p.member(plan.pace, self._workers, traffic) for p in participants.values()]
        if watch is not None:
            members = [_watched(member, watch) for member in members]
        session = Session(
            plan,
            members,
            source=self._core_source(source),
            make_event=self._make_event,
            journal=journal,
            spawn=self._tasks,
            settings={**settings.session(plan.pace), "crewai": self._crewai()},
            keep_actions=self._keeps,
            actions_path=out[0] if out else None,
            problems_path=out[1] if out else None,
            relay=settings.relays,
            relay_context=settings.backend is not None,
            source_name=name_of(source),
            context=settings.context_place,
        )
        self._drive = Drive(session, self._relay if settings.relays else None)
        self._tasks.step = self._drive.step
        self._session = session
        if stream is not None:
            self._pump = asyncio.ensure_future(self._feed(stream))

    async def result(self) -> RunResult:
        """Wait for the end."""
        try:
            self._summary = await self._drive.wait()
        except TransportError:
            if self._source_error is None:
                raise
            # It comes back as itself: the core knows but its text.
            raise self._source_error from None
        if self._pump is not None:
            await self._pump
        return self._make_result(self._summary)

    async def publish(self, event: Event[Any] | Mapping[str, Any]) -> None:
        """Hand over an event; waits while the queue is full."""
        made = _as_event(event)
        if self._nats is not None:
            await asyncio.to_thread(self._nats.publish, [made])
            return
        while not self._session.publish(made):
            await self._drive.stepped()
            if self._drive.is_over:
                raise LiveCrewError("the run is over and takes no more events")
        if self._drive.is_over:
            raise LiveCrewError("the run is over and takes no more events")

    async def actions(self) -> AsyncIterator[Action[Any]]:
        """Actions as they are committed."""
        if not self._keeps:
            raise LiveCrewError("actions go to a file or a transport in this run; read them there")
        while True:
            self._collect()
            while self._given < len(self._bodies):
                self._given += 1
                yield Action.model_validate_json(self._bodies[self._given - 1])
            if self._drive.is_over:
                return
            await self._drive.stepped()

    async def stop(self, *, drain: bool) -> RunResult:
        """End the run, and wait for its end."""
        if drain:
            self._session.drain()
        else:
            self._session.abort()
        self._drive.step_soon()
        return await self.result()

    def close(self) -> None:
        """Let go of everything; what still runs is dropped."""
        if self._pump is not None and not self._pump.done():
            self._pump.cancel()
        self._drive.close()
        self._tasks.cancel()
        self._workers.close()
        for crew in self._crews:
            crew.give_up()
        if self._traffic is not None:
            self._traffic.finish()

    def progress(self) -> Progress:
        """How far it is; from any thread."""
        return Progress(*self._session.taken, self._session.counts["actions"])

    def errors(self) -> list[MultiCrewError]:
        """The errors so far."""
        self._collect()
        return self._errors

    def so_far(self) -> tuple[Bodies, list[MultiCrewError], list[Refusal]]:
        """Actions as JSON, errors and refusals: all there is of a run that broke off."""
        self._collect()
        return self._bodies, self._errors, self._refused

    def refused(self) -> list[Refusal]:
        """The input that was refused so far."""
        self._collect()
        return self._refused

    # -- inside ----------------------------------------------------------------------------

    def _crewai(self) -> str | None:
        """The version of CrewAI, if there are crews of it (rule J6)."""
        if not self._crews:
            return None
        from importlib.metadata import PackageNotFoundError, version

        with contextlib.suppress(PackageNotFoundError):
            return version("crewai")
        return None

    def _core_source(self, source: Any) -> Any:
        """What the core reads from: a path, an iterator, or nothing for what is published."""
        if source is None or isinstance(source, (EventTransport, AsyncIterable)):
            return None
        if isinstance(source, Nats):
            return source
        if isinstance(source, (str, Path)):
            return os.fspath(source)
        if isinstance(source, Iterable):
            return iter(
                source if isinstance(source, (list, tuple)) else Watchful(source, self._failed)
            )
        raise ConfigError(
            f"cannot run over {type(source).__name__}; "
            "give a path, `-`, a list of events or an async iterator"
        )

    def _failed(self, error: BaseException) -> None:
        self._source_error = error

    def _make_event(self, event: Any) -> Event[Any]:
        """What the core is given that is no event yet."""
        try:
            return Event.model_validate(event)
        except ModelError as error:
            self._source_error = error
            raise

    async def _feed(self, events: AsyncIterable[Any]) -> None:
        try:
            async for event in events:
                await self.publish(event)
        finally:
            self._session.end_input()
            self._drive.step_soon()

    async def _relay(self, batch: list[Message]) -> None:
        """Hand what was said to the objects that stand in for a transport and a back end."""
        transport, backend = self._settings.actions, self._settings.backend
        for channel, stream, body in batch:
            if channel == "action" and transport is not None:
                await self._wait_for(transport, "publish", Action.model_validate_json(body))
            elif channel == "context" and backend is not None and stream is not None:
                told = json.loads(body)
                await self._wait_for(backend, "save", stream, told["slice"], told["context"])

    async def _wait_for(self, ours: object, method: str, *args: object) -> None:
        given: object = getattr(ours, method)(*args)
        if not inspect.isawaitable(given):
            # A protocol shows the names of methods, not how they are written.
            self._source_error = ConfigError(
                f"`{type(ours).__name__}.{method}` gave nothing to wait for; "
                "write it as an `async def`"
            )
            raise self._source_error
        await given

    def _collect(self) -> None:
        """Take over what the session said since the last time."""
        self._bodies.take(self._session.take_actions())
        if self._is_live:
            # It may go on for years: the result has the latest, `actions()` what is read in time.
            self._given = max(0, self._given - self._bodies.forget(_KEPT_ACTIONS))
        for raised in self._session.take_raised():
            key = (raised["stream_id"], raised["crew"], raised["run"])
            self._causes[key] = (raised["attempt"], raised["exception"])
            if len(self._causes) > _KEPT_PROBLEMS:
                del self._causes[next(iter(self._causes))]
        for channel, stream, body in self._session.take_problems():
            if channel == "error":
                self._errors.append(self._error(stream or "", json.loads(body)))
            elif channel == "dead_letter":
                self._refused.append(Refusal.read(body))
        del self._errors[:-_KEPT_PROBLEMS]
        del self._refused[:-_KEPT_PROBLEMS]

    def _error(self, stream: str, told: dict[str, Any]) -> MultiCrewError:
        said = told["payload"]
        crew, slice_index = str(said.get("crew", "")), int(said["slice"])
        run, reason = said.get("run"), said["reason"]
        attempts, cause = self._causes.pop((stream, crew, str(run)), (1, None))
        missing = list(said.get("missing", []))
        if reason == "ctx_conflict":
            message = f"`{said['path']}` was written by {said['first']} and by {said['last']}"
        else:
            message = said.get("message", reason)
        error = MultiCrewError(
            message,
            crew=crew,
            stream_id=stream,
            slice=slice_index,
            timestamp=told["ts"],
            run=f"{crew}/{run}" if run else None,
            reason=reason,
            attempts=attempts,
            suggestions=suggestions_for(reason, crew, slice_index, missing),
            journal=self._journal,
        )
        error.__cause__ = cause
        return error

    def _make_result(self, summary: dict[str, Any]) -> RunResult:
        self._collect()
        streams = summary["streams"]
        counts = summary["counts"]
        return RunResult(
            actions=Actions(self._bodies),
            context={name: state["context"] for name, state in streams.items()},
            errors=self._errors,
            refused=self._refused,
            digests={name: state["digest"] for name, state in streams.items()},
            events_processed=summary["counters"]["events"],
            actions_published=counts["actions"],
            ending=summary["ending"],
            failed={name: state["failed"] for name, state in streams.items() if state["failed"]},
            counters={
                **summary["counters"],
                "errors": counts["errors"],
                "refused": counts["refused"],
                "too_fast": summary["too_fast"],
                "contexts_unsaved": summary["contexts_unsaved"],
            },
            usage={crew.name: crew.take_usage() for crew in self._crews},
        )


def _as_event(event: Any) -> Event[Any]:
    return event if isinstance(event, Event) else Event.model_validate(event)


def _watched(member: Member, watch: Watch) -> Member:
    """A member whose runs are seen by somebody as they start."""
    name, call, style, takes_context, typed = member

    def submit(run: Any) -> Any:
        watch(run.ctx)
        return call(run)

    def start(event: Any, context: Context) -> Any:
        watch(context)
        return call(event, context) if takes_context else call(event)

    return (name, submit if style == "submit" else start, style, True, typed)
