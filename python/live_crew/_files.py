"""Whether what is written would go into what is read."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_same_file"]


def is_same_file(read: str | os.PathLike[str], written: str | os.PathLike[str]) -> bool:
    """Whether two paths are one file, also through links; `-` is standard input.

    What is no regular file, such as `/dev/null`, may be both.
    """
    one = Path("/dev/stdin" if os.fspath(read) == "-" else read)
    other = Path(written)
    try:
        if one.exists() and other.exists():
            return one.is_file() and one.samefile(other)
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):
        return False  # whoever opens it says what is wrong
