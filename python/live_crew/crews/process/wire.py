"""What goes between the processes: pickled tuples with their length before them."""

from __future__ import annotations

import io
import pickle
import socket
import struct
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from live_crew.errors import LiveCrewError

__all__ = ["Failure", "Frames", "failure_of", "packed", "receive", "restored"]

_LENGTH = struct.Struct("!Q")
# More than any answer or event should be; it protects the memory of the receiver.
MOST_BYTES = 256 << 20


def packed(message: tuple[Any, ...]) -> bytes:
    """A message as it goes over."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if len(body) > MOST_BYTES:
        raise LiveCrewError(
            f"{len(body) >> 20} MB are to go to or come from the process of a run, and at most "
            f"{MOST_BYTES >> 20} MB do; give and answer less, or what it is called"
        )
    return _LENGTH.pack(len(body)) + body


def receive(sock: socket.socket) -> Any:
    """The next message of a blocking socket; `None` when the other side is gone."""
    head = _exactly(sock, _LENGTH.size)
    body = None if head is None else _exactly(sock, _LENGTH.unpack(head)[0])
    return None if body is None else pickle.loads(body)  # noqa: S301 (from our own parent)


def _exactly(sock: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view, at = memoryview(data), 0
    while at < count:
        try:
            got = sock.recv_into(view[at:])
        except ConnectionError:
            return None
        if not got:
            return None
        at += got
    return data


class Frames:
    """Messages out of bytes as they come in."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take bytes, give the messages that they complete."""
        self._data += data
        while len(self._data) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._data)[0]
            if len(self._data) < end:
                return
            body = bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
            yield _Known(io.BytesIO(body)).load()


class _Known(pickle.Unpickler):
    """Takes classes of modules that are here: a message must not import crewai for seconds."""

    def find_class(self, module: str, name: str) -> Any:
        if module not in sys.modules:
            raise pickle.UnpicklingError(f"`{module}` is not imported here")
        return super().find_class(module, name)


@dataclass(frozen=True)
class Failure:
    """An exception on its way: itself if it can be pickled, and how it looked."""

    pickled: bytes | None
    name: str
    message: str
    traceback: str


class _Elsewhere(Exception):  # noqa: N818 (shown as the cause of what failed)
    """How an exception looked where it was raised."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def failure_of(error: BaseException) -> Failure:
    """What is sent of an exception."""
    try:
        pickled = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 (anything may be in an exception)
        pickled = None
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Failure(pickled, type(error).__qualname__, str(error), shown)


def restored(failure: Failure) -> BaseException:
    """The exception itself, or one that says what it said."""
    error: BaseException | None = None
    if failure.pickled is not None:
        try:
            error = _Known(io.BytesIO(failure.pickled)).load()
        except Exception:  # noqa: BLE001 (a constructor of somebody's may raise anything)
            error = None
    if not isinstance(error, BaseException):
        error = LiveCrewError(f"{failure.name}: {failure.message}")
    error.__cause__ = _Elsewhere(failure.traceback)
    return error
