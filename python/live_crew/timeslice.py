"""Which beat of a stream an instant falls into."""

from __future__ import annotations

from live_crew._core import slice_index
from live_crew.errors import JournalError

__all__ = ["checked_slice", "slice_index"]

# The core counts slices in 64 bits.
_SLICES = range(-(1 << 63), 1 << 63)


def checked_slice(number: int) -> int:
    """The number of a slice as it was given, if a stream can have such a one."""
    if isinstance(number, int) and number not in _SLICES:
        raise JournalError(f"slice {number} is beyond any stream; ask for one that was run")
    return number
