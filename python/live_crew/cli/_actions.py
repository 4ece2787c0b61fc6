"""Actions as JSON Lines: where they go."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import typer

from live_crew._files import is_same_file
from live_crew.cli._out import STDOUT, flush, writing
from live_crew.config import FileTransport, LiveConfig
from live_crew.errors import TransportError
from live_crew.models import Action

__all__ = ["Lines", "check_apart", "lines_of", "lines_to", "whole_errors"]


class Lines:
    """Writes every action as a line of JSON; a transport of actions."""

    def __init__(self, out: BinaryIO, place: str, *, at_once: bool, replaces: bool = False) -> None:
        self._out = out
        self._place = place
        self._at_once = at_once
        self._replaces = replaces
        self.count = 0
        self.error: OSError | None = None

    async def publish(self, action: Action[Any]) -> None:
        """Write an action; `error` keeps what went wrong, for whoever began the run."""
        try:
            self.write(action.model_dump_json())
        except OSError as error:
            self.error = error
            raise

    def write(self, line: str) -> None:
        """Write one line."""
        with writing(self._place):
            if self._replaces:
                self.begin()
            self._out.write(line.encode() + b"\n")
            if self._at_once:
                self._out.flush()
        self.count += 1

    def begin(self) -> None:
        """Remove what is in the file; not before there is something to put in its place."""
        if self._replaces and _is_replaced(self._out):
            self._out.truncate(0)
        self._replaces = False


def check_apart(events: str | Path, config: LiveConfig, output: Path | None) -> None:
    """Refuse to write into the file that is read, before it is opened."""
    written = [(f"`-o {output}`", output)] if output is not None else []
    if isinstance(config.transport, FileTransport):
        files = {"actions": config.transport.actions, "errors": config.transport.errors}
        written += [
            (f"`{name}` of the configuration", Path(file)) for name, file in files.items() if file
        ]
    for name, place in written:
        if is_same_file(events, place):
            raise typer.BadParameter(f"{name} is where the events are read; name another file")


def lines_of(
    config: LiveConfig, output: Path | None, *, as_json: bool, append: bool, at_once: bool
) -> AbstractContextManager[Lines | None]:
    """Lines to `output`, else to standard output.

    None if the actions are to stand in the document of `--json`, or go to the file that the
    configuration names.
    """
    transport = config.transport
    goes_elsewhere = isinstance(transport, FileTransport) and transport.actions is not None
    if output is None and (as_json or goes_elsewhere):
        return nullcontext(None)
    return lines_to(output, append=append, at_once=at_once)


@contextmanager
def lines_to(path: Path | None, *, append: bool = False, at_once: bool = False) -> Iterator[Lines]:
    """Lines to a file, or to standard output."""
    if path is None:
        flush()
        yield Lines(sys.stdout.buffer, STDOUT, at_once=at_once)
        flush()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    out = path.open("ab")
    lines = Lines(out, f"`{path}`", at_once=at_once, replaces=not append)
    try:
        yield lines
        lines.begin()
    finally:
        with writing(f"`{path}`"):
            out.close()


@contextmanager
def whole_errors(lines: Lines | None) -> Iterator[None]:
    """What a write raised comes out as it was: the core knows only its text."""
    try:
        yield
    except TransportError:
        if lines is not None and lines.error is not None:
            raise lines.error from None
        raise


def _is_replaced(out: BinaryIO) -> bool:
    """Whether it is a file, and not where standard output goes too, as `/dev/stdout` does."""
    told = os.fstat(out.fileno())
    with suppress(OSError):
        if os.path.samestat(told, os.fstat(1)):
            return False
    return stat.S_ISREG(told.st_mode)
