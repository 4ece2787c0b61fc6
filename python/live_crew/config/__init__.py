"""Configuration of streams and crews: read from files, environment and keywords, and checked.

config = load_config("live_crew_config.yaml", slice_ms=250)
"""

from ._crews import CrewLine
from ._origins import Source
from .live import CrewEntry, LiveConfig, Pace
from .load import load_config, load_runtime, make_config, make_runtime, read_config
from .locate import locate_problems
from .needs import CrewNeed, EventNeed, LetTiming, Need, Timing
from .runtime import CrewRuntime, Emits, Retry
from .settings import (
    AcceptanceWindow,
    Access,
    ContextSettings,
    Journal,
    Redact,
    Retention,
    StreamLimits,
)
from .show import Setting, describe
from .transport import FileTransport, MemoryTransport, NatsTls, NatsTransport, Transport

__all__ = [
    "AcceptanceWindow",
    "Access",
    "ContextSettings",
    "CrewEntry",
    "CrewLine",
    "CrewNeed",
    "CrewRuntime",
    "Emits",
    "EventNeed",
    "FileTransport",
    "Journal",
    "LetTiming",
    "LiveConfig",
    "MemoryTransport",
    "NatsTls",
    "NatsTransport",
    "Need",
    "Pace",
    "Redact",
    "Retention",
    "Retry",
    "Setting",
    "Source",
    "StreamLimits",
    "Timing",
    "Transport",
    "describe",
    "load_config",
    "load_runtime",
    "locate_problems",
    "make_config",
    "make_runtime",
    "read_config",
]
