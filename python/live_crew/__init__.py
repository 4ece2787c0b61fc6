"""Run many crews over live event streams, in a deterministic order.

Names are loaded when first used, so that importing the package costs next to nothing and never
imports CrewAI.
"""

from __future__ import annotations

# Not that of `typing`, which takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from live_crew._core import Context
    from live_crew.config import load_config
    from live_crew.errors import LiveCrewError, MultiCrewError
    from live_crew.events import load_events_from_file
    from live_crew.handlers import event_handler
    from live_crew.models import Action, CrewDep, Event, EventDep
    from live_crew.orchestrator import CrewOrchestrator, Orchestrator
    from live_crew.scheduler import MemoryScheduler, SimpleCrew
    from live_crew.timeslice import slice_index

_HOME = {
    "Action": "models",
    "Context": "_core",
    "CrewDep": "models",
    "CrewOrchestrator": "orchestrator",
    "Event": "models",
    "EventDep": "models",
    "LiveCrewError": "errors",
    "MemoryScheduler": "scheduler",
    "MultiCrewError": "errors",
    "Orchestrator": "orchestrator",
    "SimpleCrew": "scheduler",
    "event_handler": "handlers",
    "load_config": "config",
    "load_events_from_file": "events",
    "slice_index": "timeslice",
}

__all__ = [
    "Action",
    "Context",
    "CrewDep",
    "CrewOrchestrator",
    "Event",
    "EventDep",
    "LiveCrewError",
    "MemoryScheduler",
    "MultiCrewError",
    "Orchestrator",
    "SimpleCrew",
    "__version__",
    "event_handler",
    "load_config",
    "load_events_from_file",
    "slice_index",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from live_crew._core import __version__

        return __version__
    from importlib import import_module

    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"live_crew.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
