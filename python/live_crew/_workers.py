"""Threads for handlers that may block: live runs, and runs with a deadline."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

from live_crew._core import Run

__all__ = ["Workers"]

_MOST_THREADS = 64


class _Job:
    """A run on its way through a thread."""

    __slots__ = ("function", "is_begun", "is_given_up", "run", "takes_context")

    def __init__(self, function: Callable[..., Any], run: Run, *, takes_context: bool) -> None:
        self.function = function
        self.run = run
        self.takes_context = takes_context
        self.is_begun = False
        self.is_given_up = False

    def do(self) -> None:
        try:
            run = self.run
            answer = (
                self.function(run.event, run.ctx)
                if self.takes_context
                else self.function(run.event)
            )
        except BaseException as error:  # noqa: BLE001 (nothing a handler raises may end a thread)
            self.run.fail(error)
        else:
            self.run.complete(answer)


class Workers:
    """Daemon threads, made when needed. One that is stuck is given up and replaced.

    They are daemons so that a handler that never returns cannot hold up the end of the program.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        # Threads that nothing in the queue is meant for, and jobs that no thread is meant for: the
        # length of the queue says neither, since a job leaves it before its thread has the lock.
        self._free = 0
        self._unmet = 0
        self._context = contextvars.copy_context()
        self._is_closed = False

    def submitter(
        self, function: Callable[..., Any], *, takes_context: bool
    ) -> Callable[[Run], Any]:
        """What the core calls with each run of a handler."""

        def submit(run: Run) -> _Handle:
            job = _Job(function, run, takes_context=takes_context)
            self._put(job)
            return _Handle(self, job)

        return submit

    def close(self) -> None:
        """Let idle threads go; busy ones go when they are done."""
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, 0
            self._threads -= free
        for _ in range(free):
            self._jobs.put(None)

    def give_up(self, job: _Job) -> None:
        """Stop counting on the thread that works on a job; one that has none yet is not begun."""
        with self._lock:
            if job.is_given_up:
                return
            job.is_given_up = True
            if job.is_begun:
                self._threads -= 1
                if self._unmet:
                    self._unmet -= 1
                    self._hire()

    def _put(self, job: _Job) -> None:
        self._jobs.put(job)
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._threads < _MOST_THREADS:
                self._hire()
            else:
                self._unmet += 1

    def _hire(self) -> None:
        """Start a thread for a job in the queue."""
        self._threads += 1
        work = self._context.copy().run
        threading.Thread(
            target=work, args=(self._work,), name="live-crew handler", daemon=True
        ).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                job.is_begun = not job.is_given_up
            if job.is_begun:
                job.do()
            if not self._goes_on(job):
                return

    def _goes_on(self, job: _Job) -> bool:
        """Whether the thread that is done with a job takes another one."""
        with self._lock:
            if job.is_begun and job.is_given_up:
                # Another thread has its place.
                return False
            if self._unmet:
                self._unmet -= 1
            elif self._is_closed:
                self._threads -= 1
                return False
            else:
                self._free += 1
            return True


class _Handle:
    """What the core cancels when a run has taken too long."""

    __slots__ = ("_job", "_workers")

    def __init__(self, workers: Workers, job: _Job) -> None:
        self._workers = workers
        self._job = job

    def cancel(self) -> None:
        self._workers.give_up(self._job)
