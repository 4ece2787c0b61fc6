"""What `live-crew doctor` finds."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what that means."""

    what: str
    state: Literal["ok", "note", "bad"]
    said: str
