"""What a child of the fork server does: it loads one crew, then does one run after another."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import gc
import logging
import os
import random
import socket
import sys
import threading
from typing import Any

from live_crew._core import Text
from live_crew.crews import (  # noqa: F401 (all that a child needs is imported before the fork)
    job,
    lane,
    prompt,
    seams,
    template,
)
from live_crew.crews.notes import Notes
from live_crew.crews.process.given import Given, changes_of
from live_crew.crews.process.limits import bound_cpu, bound_memory
from live_crew.crews.process.spec import Spec, Surroundings, become_child, work_of
from live_crew.crews.process.wire import failure_of, packed, receive
from live_crew.crews.traffic import Recorded, current

__all__ = ["live"]

_MOST_RECORDS = 1_000
_MOST_TEXT = 10_000


def live(sock: socket.socket) -> int:
    """Do what the program says until it is gone; the result is the exit code."""
    become_child()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    random.seed()
    if "numpy" in sys.modules:
        # All children would draw what the server would have drawn.
        sys.modules["numpy"].random.seed()
    said = receive(sock)
    if said is None:
        return 0
    spec, surroundings = said
    return _Child(sock, spec).live(surroundings)


class _Child:
    def __init__(self, sock: socket.socket, spec: Spec) -> None:
        self._sock = sock
        self._spec = spec
        self._sending = threading.Lock()
        self._records = _Records(self)

    def live(self, surroundings: Surroundings) -> int:
        try:
            self._settle(surroundings)
            self._lane = lane.the_lane()
            self._work = work_of(self._spec)
            self._lane.submit(self._work.load()).result()
            self._lane.submit(self._work.connect()).result()
        except BaseException as error:  # noqa: BLE001 (it goes to whoever asked for the crew)
            self.send("failed", failure_of(error))
            return 1
        bound_memory(self._spec.limits)
        gc.collect()
        # What is loaded stays: no collection need look at it again.
        gc.freeze()
        self._flush()
        self.send("loaded", os.getpid())
        while (given := receive(self._sock)) is not None:
            if not self._do(given):
                return 0
            gc.collect(1)
        return 0

    def send(self, what: str, *about: Any) -> None:
        """Tell the program something; from any thread."""
        message = packed((what, *about))
        try:
            with self._sending:
                self._sock.sendall(message)
        except OSError:
            # It is gone, and nobody wants what this process does.
            os._exit(0)

    def _settle(self, surroundings: Surroundings) -> None:
        # What keeps CrewAI silent was set where it was imported.
        silent = {name: one for name, one in os.environ.items() if name.startswith("CREWAI_")}
        os.environ.clear()
        os.environ.update({**silent, **surroundings.environment})
        os.chdir(surroundings.folder)
        sys.path[:] = surroundings.path
        sys.argv[:] = surroundings.arguments
        logging.getLogger().addHandler(self._records)
        for name, level in surroundings.levels.items():
            logging.getLogger(name).setLevel(level)

    def _do(self, given: Given) -> bool:
        """Do a run. Whether the process can do another one."""
        bound_cpu(self._spec.limits)
        before = copy.deepcopy(given.context)
        is_over = threading.Event()
        goes_on = True
        notes = _Sent(given, self)
        heard = Recorded(notes.redactor) if given.is_recorded else None

        async def work() -> Any:
            current.set(heard)
            return await self._work(given, notes, is_over.is_set)  # type: ignore[arg-type]

        try:
            answer: Any = self._lane.submit(work()).result()
            is_text = isinstance(answer, Text)
            told = packed(
                (
                    "done",
                    answer.text if is_text else answer,
                    is_text,
                    changes_of(before, dict(given.ctx)),
                    *_heard(heard),
                )
            )
        except SystemExit as error:
            told, goes_on = packed(("exited", _plain_code(error.code))), False
        except BaseException as error:  # noqa: BLE001 (nothing a crew raises may end this)
            told = packed(("raised", failure_of(error), *_heard(heard)))
        # A thread of the run that is still under way stops at its next call.
        is_over.set()
        self._records.end()
        self._flush()
        with self._sending:
            self._sock.sendall(told)
        return goes_on

    def _flush(self) -> None:
        """Let go of what was printed, so that it belongs to the run."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        ctypes.CDLL(None).fflush(None)


class _Sent(Notes):
    """Notes that go to the program at once: of a run that is killed they say how far it came."""

    def __init__(self, run: Any, child: _Child) -> None:
        super().__init__(run)
        self._child = child

    def add(self, what: str, **about: Any) -> None:
        told = {name: _short(value) for name, value in about.items() if value is not None}
        self._child.send("note", "add", (what,), told)

    def use(self, tokens: dict[str, int]) -> None:
        self._child.send("note", "use", (dict(tokens),), {})

    def warn(self, message: str) -> None:
        self._child.send("note", "warn", (message,), {})


class _Records(logging.Handler):
    """Sends log records to the program, where they are handled as its own."""

    def __init__(self, child: _Child) -> None:
        super().__init__()
        self._child = child
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._count += 1
        if self._count > _MOST_RECORDS:
            return
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except Exception:  # noqa: BLE001 (a record that cannot be told must not end a run)
            text = str(record.msg)
        about = {
            "name": record.name,
            "levelno": record.levelno,
            "levelname": record.levelname,
            "msg": text[:_MOST_TEXT],
            "created": record.created,
            "pathname": record.pathname,
            "filename": record.filename,
            "module": record.module,
            "lineno": record.lineno,
            "funcName": record.funcName,
            "threadName": record.threadName,
            "process": record.process,
            "processName": record.processName,
        }
        self._child.send("log", about)

    def end(self) -> None:
        """Say what was left out in a run."""
        left_out, self._count = self._count - _MOST_RECORDS, 0
        if left_out > 0:
            self._child.send("left out", f"{left_out} log records")


def _heard(heard: Recorded | None) -> list[Any]:
    """What a run asked and got, to be written by the program."""
    return [] if heard is None else [(heard.close(), heard.messages)]


def _short(value: Any) -> Any:
    return value if isinstance(value, (int, float, bool)) else str(value).strip()[:_MOST_TEXT]


def _plain_code(code: object) -> object:
    return code if code is None or isinstance(code, (int, str)) else str(code)
