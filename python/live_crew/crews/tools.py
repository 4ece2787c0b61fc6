"""What a run of a crew reads of the shared context and writes to it, for its tools."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from live_crew.errors import LiveCrewError

__all__ = ["read", "reading_and_writing", "write"]

_ctx: ContextVar[tuple[Any, threading.Lock] | None] = ContextVar("live_crew_ctx", default=None)


@contextlib.contextmanager
def reading_and_writing(ctx: Any) -> Iterator[None]:
    """Within it, tools of the run reach its context, on whatever thread they run."""
    token = _ctx.set((ctx, threading.Lock()))
    try:
        yield
    finally:
        _ctx.reset(token)


def read(path: str) -> Any:
    """What stands under a dotted path; everything without one. Nothing there is `None`."""
    with _held() as ctx:
        here: Any = dict(ctx)
        for key in filter(None, path.split(".")):
            if not isinstance(here, dict) or key not in here:
                return None
            here = here[key]
        return here


def write(path: str, value: Any) -> None:
    """Put a value under a dotted path; it takes effect when the run lands."""
    *above, last = path.split(".")
    if not last or not all(above):
        raise LiveCrewError(f"`{path}` is no path; write keys with dots between, `score.home`")
    with _held() as ctx:
        here: Any = ctx
        for key in above:
            if not isinstance(here.get(key), dict):
                here[key] = {}
            here = here[key]
        here[last] = value


@contextlib.contextmanager
def _held() -> Iterator[Any]:
    held = _ctx.get()
    if held is None or held[0] is None:
        raise LiveCrewError("there is no shared context here; only runs of live-crew have one")
    ctx, lock = held
    # Tools of one run may be called beside each other.
    with lock:
        yield ctx
