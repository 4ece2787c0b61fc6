"""The one place where crewai is imported; importing this module takes seconds.

Everything of CrewAI that is not its documented surface is reached through here and pinned by
`tests/python/crews/test_crewai_pins.py`, so that a release that changes it fails in one file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator

# Read while crewai is imported: no telemetry, no tracing prompt, no look at a package index.
for _name, _value in (
    ("CREWAI_DISABLE_TELEMETRY", "true"),
    ("CREWAI_TRACING_ENABLED", "false"),
    ("CREWAI_DISABLE_VERSION_CHECK", "true"),
):
    os.environ.setdefault(_name, _value)

from crewai import LLM, Agent, BaseLLM, Crew, CrewOutput, Process, Task  # noqa: E402
from crewai.events.types.llm_events import LLMCallType  # noqa: E402
from crewai.hooks.dispatch import HookAborted  # noqa: E402
from crewai.llms.base_llm import llm_call_context  # noqa: E402
from crewai.tools import BaseTool  # noqa: E402
from crewai.utilities.string_utils import sanitize_tool_name  # noqa: E402
from crewai_core.lock_store import set_lock_backend  # noqa: E402

__all__ = [
    "LLM",
    "Agent",
    "BaseLLM",
    "BaseTool",
    "Crew",
    "CrewOutput",
    "HookAborted",
    "LLMCallType",
    "Process",
    "Task",
    "llm_call_context",
    "sanitize_tool_name",
]

_locks: dict[str, threading.RLock] = {}
_guard = threading.Lock()


@contextlib.contextmanager
def _in_process(name: str, timeout: float | None = None) -> Iterator[None]:
    """A lock among threads, in place of a lock file that is polled four times a second."""
    with _guard:
        lock = _locks.setdefault(name, threading.RLock())
    if not lock.acquire(timeout=timeout or -1):
        raise TimeoutError(f"lock `{name}` of CrewAI was not free within {timeout} s")
    try:
        yield
    finally:
        lock.release()


set_lock_backend(_in_process)
logging.getLogger("crewai").addHandler(logging.NullHandler())
logging.getLogger("crewai").propagate = False
