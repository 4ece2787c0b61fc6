"""What a process prints, line by line in the log."""

from __future__ import annotations

import os
from typing import Any

from live_crew.crews.notes import log

__all__ = ["Output"]

_MOST_BYTES = 256 << 10
_MOST_LINE = 4_000
_CHUNK = 64 << 10
# Read at a time, so that one that floods leaves time for the others.
_MOST_CHUNKS = 8


class Output:
    """The read end of a pipe that is standard output and error of a process.

    It is read to its end whatever comes, so that nobody waits who prints; what is logged of one
    run is bounded.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._line = b""
        self._count = 0
        self._who = ""
        self._extra: dict[str, Any] = {}
        self._is_closed = False

    def begin(self, who: str, extra: dict[str, Any]) -> None:
        """Whose output it is from now on."""
        self._who, self._extra = who, extra
        self._line, self._count = b"", 0

    def read(self) -> bool:
        """Take what there is. Whether there may be more, now or later."""
        if self._is_closed:
            return False
        for _ in range(_MOST_CHUNKS):
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            room = max(_MOST_BYTES - self._count, 0)
            self._count += len(data)
            if room:
                *lines, self._line = (self._line + data[:room]).split(b"\n")
                for line in lines:
                    self._say(line)
                if len(self._line) > _MOST_LINE:
                    self._say(self._line)
                    self._line = b""
        return True

    def end(self) -> None:
        """The run is over: take what is still in the pipe, and say what was left out."""
        self.read()
        if self._line:
            self._say(self._line)
        if self._count > _MOST_BYTES:
            log.warning(
                "%s: printed %d KB more, which are left out",
                self._who,
                (self._count - _MOST_BYTES + 1023) >> 10,
                extra=self._extra,
            )
        self._line, self._count = b"", 0

    def close(self) -> None:
        """Take what is still there, and let go of the pipe."""
        self.read()
        self._is_closed = True
        os.close(self.fd)

    def _say(self, line: bytes) -> None:
        for at in range(0, len(line), _MOST_LINE):
            text = line[at : at + _MOST_LINE].decode("utf-8", "replace").rstrip("\r")
            log.info("%s: %s", self._who, text, extra=self._extra)
