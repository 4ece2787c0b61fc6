"""Which beat of a stream an instant falls into."""

from __future__ import annotations

from live_crew._core import slice_index

__all__ = ["slice_index"]
