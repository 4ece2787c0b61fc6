"""Events out of a file."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from live_crew._core import read_events
from live_crew.errors import ModelError

if TYPE_CHECKING:
    from live_crew._core import Event

__all__ = ["load_events_from_file"]


def load_events_from_file(path: str | os.PathLike[str]) -> list[Event[Any]]:
    """Read every event of a file, a JSON array or JSON Lines; `-` is standard input.

    Use it for files that fit into memory: an event takes about half a kilobyte more than its
    text. `orchestrator.run(path)` reads a file of any size as it goes.

    Raises `ModelError` that names line and column of the first 20 elements that are no events, and
    `OSError` if the file cannot be opened.

    >>> load_events_from_file("events.jsonl")[0].kind
    'user_signup'
    """
    name = os.fspath(path)
    # Opening a pipe would wait for its writer, and a device never ends.
    if name != "-" and not S_ISREG(Path(name).stat().st_mode):
        raise ModelError(f"`{name}` is no file; name a file of events, or `-` for standard input")
    return read_events(name)
