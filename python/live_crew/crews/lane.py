"""The crew lane: the one thread on which CrewAI lives, with a loop that outlives every run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import gc
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from live_crew.crews.missing import NOT_INSTALLED, is_not_installed
from live_crew.errors import ConfigError

__all__ = ["Lane", "the_lane"]

T = TypeVar("T")

# Calls of models and tools under way at a time: each holds a thread while it waits.
_MOST_THREADS = 64


class Lane:
    """A daemon thread that prepares, then runs coroutines until the process ends.

    CrewAI blocks the loop it is awaited on, hijacks signals when the main thread imports it, and
    its steps want many threads: so it gets a loop of its own.
    """

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._pid = os.getpid()
        self._prepare = prepare
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Threads())
        self.ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        threading.Thread(target=self._live, name="live-crew crews", daemon=True).start()

    @property
    def is_of_this_process(self) -> bool:
        """Whether its thread is here: a fork takes the object along, not the thread."""
        return self._pid == os.getpid()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the lane, once CrewAI is there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function on the lane."""
        self._loop.call_soon_threadsafe(function, *args)

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._prepare()
        except ImportError as error:
            missing = is_not_installed(error)
            self.ready.set_exception(ConfigError(NOT_INSTALLED) if missing else error)
        except BaseException as error:  # noqa: BLE001 (whoever waits gets it)
            self.ready.set_exception(error)
        else:
            self.ready.set_result(None)
        while True:
            # What a crew raises to end the program ends its own run; the lane goes on.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()


class _Threads(concurrent.futures.ThreadPoolExecutor):
    """Daemon threads: a model that never answers must not hold up the end of the program."""

    def __init__(self) -> None:
        super().__init__(max_workers=_MOST_THREADS)
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)
        self._count = 0
        self._hiring = threading.Lock()

    def submit(
        self, function: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 (it belongs to whoever waits)
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(work)
        if not self._free.acquire(blocking=False):
            self._hire()
        return future

    def _hire(self) -> None:
        with self._hiring:
            if self._count >= _MOST_THREADS:
                return
            self._count += 1
        context = contextvars.Context()
        threading.Thread(
            target=context.run, args=(self._work,), name="live-crew crew step", daemon=True
        ).start()

    def _work(self) -> None:
        while True:
            work = self._jobs.get()
            work()
            # It holds what the run was given until the next one comes.
            del work
            self._free.release()


_lane: Lane | None = None
_making = threading.Lock()


def the_lane() -> Lane:
    """The lane of this process, started by the first crew that needs it."""
    global _lane  # noqa: PLW0603 (CrewAI is one for the process, and so is its lane)
    with _making:
        if _lane is None or not _lane.is_of_this_process:
            _lane = Lane(_import_crewai)
        return _lane


def _import_crewai() -> None:
    from live_crew.crews import seams  # noqa: F401 (importing it is what takes long)

    # The collection that is due after so many new objects stops everything for a while, and would
    # come in the first runs; the next one comes when there is a quarter more of them.
    gc.collect()
