"""`asyncio.run` for scripts, in which an interrupt is one at once."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from live_crew import _tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType

__all__ = ["run_to_end"]

T = TypeVar("T")

# In what can wait, handlers run.
_CAN_WAIT = inspect.CO_COROUTINE | inspect.CO_GENERATOR


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own.

    Since Python 3.11 `asyncio.run` turns the first interrupt into a cancellation, which waits for
    the loop; a handler that never returns never gives it back. It does so only where interrupts
    are handled as Python does by itself, so here they are for a while handled by a function that
    does the same.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(coroutine)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        return asyncio.run(coroutine)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_at_tasks(frame):
        # One that is half made would never end, and `asyncio.run` wait for it for ever.
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)
    else:
        signal.default_int_handler(number, frame)


def _is_at_tasks(frame: FrameType | None) -> bool:
    """Whether tasks are being made or ended right now, and no handler is running in one."""
    while frame is not None and frame.f_code.co_filename != _tasks.__file__:
        frame = frame.f_back
    return frame is not None and not frame.f_code.co_flags & _CAN_WAIT
