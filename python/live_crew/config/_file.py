"""Reads configuration files, and nothing that only looks like one."""

import os
import stat
import warnings
from pathlib import Path

from live_crew.errors import ConfigError, LiveCrewWarning, Problem

from ._suggest import closest_file

__all__ = ["read_text", "shown_file"]

_MOST_BYTES = 1 << 20
_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a regular UTF-8 file of at most 1 MiB."""
    name = os.fspath(path)
    raw = _read(name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        wrong = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        problem = Problem(wrong, None, shown_file(name), line, column)
        raise ConfigError(problems=[problem]) from None


def shown_file(path: str | os.PathLike[str]) -> str:
    """A path as messages name it: from the working directory where that is shorter."""
    name = os.fspath(path)
    try:
        inside = os.path.relpath(name) if Path(name).is_absolute() else name
    except (OSError, ValueError):
        return name
    return name if inside.startswith("..") else inside


def _read(name: str) -> bytes:
    """All of a regular file up to the limit. Anything else might never end."""
    try:
        found = os.stat(name)  # noqa: PTH116 - the text may be no path at all
        _check_sort(name, found.st_mode)
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:  # noqa: PTH123 - it is open already
            mode = os.fstat(handle).st_mode
            _check_sort(name, mode)
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(name, f"is not there; {_near(name)}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise _unreadable(name, f"cannot be read: {why.lower()}; check the path") from None
    if len(raw) > _MOST_BYTES:
        raise _unreadable(name, "is larger than 1 MiB; split it")
    if os.name == "posix" and mode & stat.S_IWOTH:
        warnings.warn(
            f"{shown_file(name)}: everybody on this machine can change it, and so what runs; "
            f"take that away with `chmod o-w`",
            LiveCrewWarning,
            stacklevel=2,
        )
    return raw


def _check_sort(name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        sort = next((word for is_it, word in _SPECIAL if is_it(mode)), "no regular file")
        raise _unreadable(name, f"is {sort}; give the path of a YAML file")


def _unreadable(name: str, message: str) -> ConfigError:
    return ConfigError(problems=[Problem(message, None, shown_file(name) or "the empty path")])


def _near(name: str) -> str:
    folder, wanted = os.path.split(name)
    try:
        there = [entry.name for entry in os.scandir(folder or ".") if entry.is_file()]
    except (OSError, ValueError):
        there = []
    meant = closest_file(wanted, there)
    return f"did you mean `{os.path.join(folder, meant)}`?" if meant else "check the path"  # noqa: PTH118
