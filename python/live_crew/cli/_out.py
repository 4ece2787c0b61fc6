"""What is printed: results on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from live_crew.errors import TransportError

__all__ = [
    "OWES_DOCUMENT",
    "STDOUT",
    "document",
    "fail",
    "flush",
    "has_colors",
    "is_terminal",
    "near",
    "note",
    "paint",
    "say",
    "table",
    "writing",
]

STDOUT = "standard output"

# Whether the document that `--json` asked for is still to be printed.
OWES_DOCUMENT = ContextVar("OWES_DOCUMENT", default=False)

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def say(text: str = "") -> None:
    """A line of the result."""
    with writing(STDOUT):
        sys.stdout.write(text + "\n")


def flush() -> None:
    """Let go of the lines so far."""
    with writing(STDOUT):
        sys.stdout.flush()


def note(text: str) -> None:
    """A line for whoever watches."""
    flush()
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fail(message: str) -> None:
    """What went wrong."""
    note(f"{paint('error:', 'red', sys.stderr)} {message}")


def document(data: Any) -> None:
    """The one JSON document of `--json`."""
    OWES_DOCUMENT.set(False)
    say(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows in columns, under a head."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    say(paint(_line(head, widths), "bold", sys.stdout))
    for row in cells:
        say(_line(row, widths))


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Name the place that cannot be written; Python names a file only when it opens it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TransportError(f"{place}: {(error.strerror or str(error)).lower()}") from error


def near(place: object) -> str:
    """A path, or a place that begins with one, as seen from here."""
    return str(place).removeprefix(f"{Path.cwd()}{os.sep}")


def paint(text: str, style: str, stream: TextIO) -> str:
    """`text` in a style, where a stream shows colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_colors(stream) else text


def has_colors(stream: TextIO) -> bool:
    """Whether a stream shows colours, and nobody asked for none (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal(stream) and not plain


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads along."""
    return stream.isatty()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
