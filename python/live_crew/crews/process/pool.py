"""The processes there are: taken for a run, given back, replaced, and let go when idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from live_crew.crews.lane import Lane
from live_crew.crews.notes import log
from live_crew.crews.process.forks import Forks
from live_crew.crews.process.spec import Spec, Surroundings
from live_crew.crews.process.worker import Worker
from live_crew.errors import LiveCrewError

__all__ = ["Pool", "process_lane", "the_pool"]

T = TypeVar("T")

MOST_PROCESSES = 32
# One of each crew stays; what a burst needed beside it goes after this time.
IDLE_S = 60.0
_LOOK_EVERY_S = 10.0
_MOST_LOADING_S = 300.0


class Pool:
    """To be used on the loop of its lane alone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._forks: Forks | None = None
        self._workers: set[Worker] = set()
        # Those that are on their way have their place already.
        self._hiring = 0
        self._idle: list[Worker] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._looks: asyncio.TimerHandle | None = None

    async def load(self, spec: Spec) -> None:
        """See that a crew can be loaded; the process that did it waits for the first run."""
        self.give(await self._hired(spec))

    async def take(self, spec: Spec) -> Worker:
        """A process that has loaded a crew."""
        while True:
            for worker in reversed(self._idle):
                if worker.spec is spec:
                    self._idle.remove(worker)
                    return worker
            while self._is_full and self._idle:
                self.drop(self._idle[0])
            if not self._is_full:
                return await self._hired(spec)
            await self._freed()

    def give(self, worker: Worker) -> None:
        """Take a process back after its run."""
        if not worker.is_alive or worker not in self._workers:
            return
        if worker.is_used_up:
            self.replace(worker)
            return
        worker.idle_since = time.monotonic()
        self._idle.append(worker)
        self._tell_one()
        if self._looks is None:
            self._looks = self._loop.call_later(_LOOK_EVERY_S, self._look)

    def drop(self, worker: Worker) -> None:
        """End a process."""
        self._forget(worker)
        worker.kill()

    def replace(self, worker: Worker) -> None:
        """End a process; a fresh one takes its place in the background."""
        self.drop(worker)
        if not self._is_full and not self._waiting:
            self._hiring += 1
            self._spawn(self._prepared(worker.spec))

    def let_go(self, spec: Spec) -> None:
        """A crew is not needed any more."""
        for worker in [one for one in self._idle if one.spec is spec]:
            self.drop(worker)

    # -- inside ----------------------------------------------------------------------------

    @property
    def _is_full(self) -> bool:
        return len(self._workers) + self._hiring >= MOST_PROCESSES

    async def _hired(self, spec: Spec) -> Worker:
        """A fresh process; if whoever waits is cancelled it is there for the next run."""
        self._hiring += 1
        task = self._spawn(self._hire(spec))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._keep)
            raise

    async def _hire(self, spec: Spec) -> Worker:
        try:
            worker = Worker(await self._server(), spec, self._ended)
        except BaseException:
            self._tell_one()
            raise
        finally:
            self._hiring -= 1
        self._workers.add(worker)
        try:
            await asyncio.wait_for(worker.load(_surroundings()), _MOST_LOADING_S)
        except asyncio.TimeoutError:
            self.drop(worker)
            raise LiveCrewError(
                f"crew `{spec.name}` did not load within {_MOST_LOADING_S:.0f} s; "
                "see what its modules do when they are imported"
            ) from None
        except BaseException:
            self.drop(worker)
            raise
        return worker

    async def _prepared(self, spec: Spec) -> None:
        try:
            self.give(await self._hire(spec))
        except Exception as error:  # noqa: BLE001 (the next run that needs it tells)
            log.debug("%s: no process could be prepared: %s", spec.name, error)

    async def _server(self) -> Forks:
        if self._forks is None or self._forks.is_gone:
            self._forks = Forks()
        await asyncio.shield(self._forks.ready)
        return self._forks

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _keep(self, task: asyncio.Task[Worker]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.give(task.result())

    def _ended(self, worker: Worker) -> None:
        if worker in self._workers:
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._tell_one()

    async def _freed(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._tell_one()
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiter)

    def _tell_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _look(self) -> None:
        """Let idle processes go, but for one of each crew."""
        self._looks = None
        now, kept = time.monotonic(), set()
        for worker in reversed(list(self._idle)):
            if worker.spec in kept and now - worker.idle_since > IDLE_S:
                self.drop(worker)
            kept.add(worker.spec)
        if len(self._idle) > len(kept):
            self._looks = self._loop.call_later(_LOOK_EVERY_S, self._look)


def _surroundings() -> Surroundings:
    loggers = logging.root.manager.loggerDict.items()
    levels = {
        name: one.level for name, one in loggers if isinstance(one, logging.Logger) and one.level
    }
    return Surroundings(
        list(sys.path),
        list(sys.argv),
        str(Path.cwd()),
        dict(os.environ),
        {**levels, "": logging.root.level},
    )


def _be_quiet() -> None:
    """What CrewAI logs is for who listens, here too."""
    logging.getLogger("crewai").addHandler(logging.NullHandler())


_lane: Lane | None = None
_pool: Pool | None = None
_making = threading.Lock()


def process_lane() -> Lane:
    """Where the processes are looked after: a thread of its own, which needs no CrewAI."""
    global _lane, _pool
    with _making:
        if _lane is None or not _lane.is_of_this_process:
            _lane, _pool = Lane(prepare=_be_quiet), None
        return _lane


def the_pool() -> Pool:
    """The processes of this process. To be asked for on the lane."""
    global _pool  # noqa: PLW0603
    if _pool is None:
        _pool = Pool()
    return _pool
