"""Where live events come from: standard input, or a file that grows."""

import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import Self

from live_crew.errors import ModelError, TransportError
from live_crew.models import Event

__all__ = ["events_of_stdin", "follow"]

_PLACE = re.compile(r"^stdin:\d+: line 1, column (\d+): ")
_CHUNK = 1 << 16
_AHEAD = 4
_LOOK_AGAIN_S = 0.1


async def events_of_stdin(
    stopped: asyncio.Event, refuse: Callable[[str], None]
) -> AsyncIterator[Event[Any]]:
    """Events as lines of standard input, until it ends or `stopped`; bad lines are told."""
    chunks: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)
    loop = asyncio.get_running_loop()
    # A daemon, since a read cannot be called back; nobody waits for it at the end.
    threading.Thread(target=_read_stdin, args=(loop, chunks), daemon=True).start()
    rest, number, has_more = b"", 0, True
    while has_more and (chunk := await _next(chunks, stopped)) is not None:
        has_more = bool(chunk)
        *lines, rest = (rest + chunk).split(b"\n") if has_more else (rest, b"")
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                event = Event.model_validate_json(line)
            except ModelError as error:
                refuse(_PLACE.sub(rf"stdin:{number}:\1: ", f"stdin:{number}: {error}", count=1))
            else:
                yield event


async def _next(chunks: "asyncio.Queue[bytes]", stopped: asyncio.Event) -> bytes | None:
    """The next chunk, or nothing once stopped."""
    read = asyncio.ensure_future(chunks.get())
    stop = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({read, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if read.done() and not stopped.is_set():
        return read.result()
    read.cancel()
    return None


def _read_stdin(loop: asyncio.AbstractEventLoop, chunks: "asyncio.Queue[bytes]") -> None:
    """Hand over what there is, as it comes; an empty chunk is the end."""
    chunk = b"more"
    while chunk:
        try:
            # Not `sys.stdin.buffer`: its lock would be held at exit, where Python wants it.
            chunk = os.read(sys.stdin.fileno(), _CHUNK)
        except (OSError, ValueError):
            chunk = b""
        try:
            asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
        except RuntimeError:
            # The loop is closed: nobody listens any more.
            return


class FollowedFile(str):
    """The path of a pipe that gives what is in a file, under the name of that file."""

    __slots__ = ("source_name",)

    source_name: str

    def __new__(cls, pipe: str, followed: Path) -> Self:
        """Name the pipe after the file, so that a journal knows it again."""
        made = super().__new__(cls, pipe)
        made.source_name = str(followed.resolve())
        return made


@contextmanager
def follow(path: Path, stream: str | None) -> Iterator[str]:
    """A path that gives what is in a file and what is appended later, without an end.

    It is read from its start, so that a run that goes on after a restart knows its place. Lines of
    other streams than the one asked for become blanks, so that every place stays what it is.
    """
    if path.is_dir():
        raise TransportError(f"`{path}` is a directory; name a file of events in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    read_end, write_end = os.pipe()
    over = threading.Event()
    arguments = (path, stream, write_end, over)
    # A daemon, since it may wait for a reader that is gone only when the process is.
    threading.Thread(target=_copy, args=arguments, daemon=True).start()
    try:
        yield FollowedFile(f"/dev/fd/{read_end}", path)
    finally:
        over.set()
        os.close(read_end)


def _copy(path: Path, stream: str | None, write_end: int, over: threading.Event) -> None:
    """Copy a file into a pipe, and what is appended to it, line by line."""
    rest = b""
    try:
        with path.open("rb", buffering=0) as file:
            while not over.is_set():
                chunk = file.read(_CHUNK)
                if not chunk:
                    over.wait(_LOOK_AGAIN_S)
                    continue
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    _write(write_end, _only(line, stream) + b"\n")
    except BrokenPipeError:
        pass
    finally:
        os.close(write_end)


def _only(line: bytes, stream: str | None) -> bytes:
    """The line, or as many blanks if it is an event of another stream."""
    if stream is None:
        return line
    try:
        of = json.loads(line).get("stream_id", stream)
    except (ValueError, AttributeError):
        return line
    return line if of == stream else b" " * len(line)


def _write(fd: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(fd, chunk) :]
