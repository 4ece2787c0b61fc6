"""How much memory and processor time a run in a process of its own may use."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Limits",
    "Used",
    "bound_cpu",
    "bound_memory",
    "can_bound_memory",
    "out_of_memory",
    "out_of_time",
    "used_by",
    "watch",
]

_EVERY_S = 0.05
# A run may start 64 threads, each with 8 MB for its stack that it hardly touches. The bound that
# the system holds counts them as used; the watch does not.
_STACKS = 512 << 20


@dataclass(frozen=True)
class Limits:
    """What `memory_mb` and `cpu_s` say."""

    memory_mb: int | None = None
    cpu_s: int | None = None

    def __bool__(self) -> bool:
        return self.memory_mb is not None or self.cpu_s is not None


@dataclass(frozen=True)
class Used:
    """What a process has used so far."""

    memory: int
    data: int
    cpu: float


def used_by(pid: int) -> Used | None:
    """What a process uses; `None` if it is gone, or if the system does not say."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        # The name of a process may hold anything, so what counts starts behind it.
        times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    size = os.sysconf("SC_PAGE_SIZE")
    ticks = times.rpartition(")")[2].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    return Used((int(pages[1]) - int(pages[2])) * size, int(pages[5]) * size, cpu)


async def watch(pid: int, limits: Limits, loaded: Used) -> str:
    """Wait until a run is over its limits; the result says over which."""
    began = used_by(pid)
    while True:
        await asyncio.sleep(_EVERY_S)
        now = used_by(pid)
        if now is None or began is None:
            await asyncio.Event().wait()
            continue
        more = (now.memory - loaded.memory) >> 20
        if limits.memory_mb is not None and more > limits.memory_mb:
            return f"it took {more} MB of memory beside the loaded crew; {_over(limits, 'memory')}"
        if limits.cpu_s is not None and now.cpu - began.cpu > limits.cpu_s:
            return f"it took {now.cpu - began.cpu:.1f} s of processor time; {_over(limits, 'cpu')}"


def _over(limits: Limits, which: str) -> str:
    said = f"memory_mb: {limits.memory_mb}" if which == "memory" else f"cpu_s: {limits.cpu_s}"
    return f"`{said}` allows no more, raise it or let the crew do less"


def out_of_memory(limits: Limits) -> str:
    """What is said when the system refused memory to a run."""
    return f"it asked for more memory than there is; {_over(limits, 'memory')}"


def out_of_time(limits: Limits) -> str:
    """What is said when the system ended a process for its processor time."""
    return f"it used up its processor time; {_over(limits, 'cpu')}"


def bound_memory(limits: Limits) -> None:
    """Let the system refuse this process what the watch would be too late for."""
    now = used_by(os.getpid())
    if limits.memory_mb is None or now is None:
        return
    import resource

    most = now.data + (limits.memory_mb << 20) + _STACKS
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def bound_cpu(limits: Limits) -> None:
    """The same for the processor time of the next run: systems without `/proc` have only this."""
    if limits.cpu_s is None:
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + limits.cpu_s + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def can_bound_memory() -> bool:
    """Whether this system tells what a process uses."""
    return sys.platform == "linux"
