"""The two ends of a run: what it reads, and the files it writes."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live_crew._files import is_same_file
from live_crew.errors import ConfigError
from live_crew.transports import EventTransport

if TYPE_CHECKING:
    from live_crew.settings import Settings

__all__ = ["Watchful", "check_apart", "name_of", "outputs", "stream_of"]


def stream_of(source: Any) -> AsyncIterable[Any] | None:
    """The events that are waited for one by one, if the source has such."""
    if not isinstance(source, EventTransport):
        return source if isinstance(source, AsyncIterable) else None
    stream: object = source.events()
    if isinstance(stream, AsyncIterable):
        return stream
    if inspect.iscoroutine(stream):
        stream.close()  # what is never awaited would be warned about
    raise ConfigError(
        f"`{type(source).__name__}.events` gave a {type(stream).__name__}; "
        "write it as an `async def` with `yield`, or return an async iterator"
    )


def name_of(source: Any) -> str | None:
    """What names a source that can go on where it was: a file, or one that says so."""
    name: str | None = getattr(source, "source_name", None)
    if name is None and isinstance(source, (str, Path)) and source != "-":
        return str(Path(source).resolve())
    return name


def outputs(actions: str | Path | None, settings: Settings) -> tuple[str, str] | None:
    """The files that actions and problems go to, if they go to files."""
    transport = settings.config.transport
    if actions is not None:
        path = Path(actions)
        return (os.fspath(path), os.fspath(path.with_name(path.name + ".errors.jsonl")))
    if transport.kind == "file" and transport.actions:
        errors = transport.errors or f"{transport.actions}.errors.jsonl"
        return (str(transport.actions), str(errors))
    return None


def check_apart(source: Any, out: tuple[str, str] | None) -> None:
    """Refuse to write into the file that is read: it would end as neither."""
    if out is None or not isinstance(source, (str, Path)):
        return
    read = name_of(source) or source
    for what, place in zip(("actions", "errors"), out, strict=True):
        if is_same_file(read, place):
            raise ConfigError(
                f"{what} would go to `{place}`, where the events are read; name another file"
            )


class Watchful(Iterator[Any]):
    """An iterator that tells what it raised. It may stop and go on when it is asked again."""

    def __init__(self, source: Iterable[Any], failed: Callable[[BaseException], None]) -> None:
        self._items = iter(source)
        self._failed = failed

    def __next__(self) -> Any:
        try:
            return next(self._items)
        except StopIteration:
            raise
        except BaseException as error:
            self._failed(error)
            raise
