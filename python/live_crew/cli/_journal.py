"""Which journal a command is about, and which of its streams."""

import itertools
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from live_crew._core import Journal
from live_crew._words import did_you_mean
from live_crew.cli._out import near, note
from live_crew.errors import JournalError

if TYPE_CHECKING:
    from live_crew.config import LiveConfig

__all__ = [
    "DEFAULT",
    "goes_on",
    "open_journal",
    "set_aside",
    "streams_of",
    "tell_if_unused",
    "the_stream",
]

DEFAULT = Path(".live_crew") / "journal.db"


def open_journal(path: Path | None, config: Path | None = None) -> Journal:
    """The journal at `path`, else the configured one, else the default one; it must be there."""
    if path is None and (on_nats := _on_nats(config)) is not None:
        return on_nats
    chosen = path or _configured(config) or DEFAULT
    _check_no_folder(chosen)
    if not chosen.exists():
        raise JournalError(
            f"there is no journal `{chosen}`; name one with `-j`, or make one with "
            "`live-crew process` or `live-crew run`"
        )
    return Journal.file(str(chosen))


def streams_of(journal: Journal) -> list[str]:
    """The names of the streams of a journal."""
    return [str(one["stream_id"]) for one in journal.streams()]


def the_stream(journal: Journal, asked: str | None) -> str:
    """The stream that is asked for, or the only one."""
    streams = streams_of(journal)
    if asked is not None:
        if asked in streams:
            return asked
        hint = did_you_mean(asked, streams) or f"; it has {_some(streams)}"
        raise JournalError(f"the journal has no stream `{asked}`{hint}")
    if len(streams) == 1:
        return streams[0]
    if not streams:
        raise JournalError("the journal has no streams yet; nothing was run")
    raise typer.BadParameter(
        f"the journal has several streams; say which with `-s`: {_some(streams)}"
    )


def set_aside(path: Path) -> Path | None:
    """Make room for a new journal; the one that is there, if any, becomes `….prev.db`."""
    if not path.exists():
        return None
    from live_crew.crews.tape import tape_beside

    aside = path.with_name(f"{path.stem}.prev{path.suffix}")
    moved = ((path, aside), (tape_beside(path), tape_beside(aside)))
    lock = sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        for (here, there), ending in itertools.product(moved, ("", "-wal", "-shm")):
            old, new = Path(f"{here}{ending}"), Path(f"{there}{ending}")
            new.unlink(missing_ok=True)
            if old.exists():
                old.rename(new)
    except sqlite3.OperationalError:
        raise JournalError(
            f"journal `{path}` is being written by another process; wait for it, "
            "or name another one with `-j`"
        ) from None
    finally:
        lock.close()
    return aside


def goes_on(path: Path) -> bool:
    """Whether a run does not begin at the beginning, since the journal holds some; and say so."""
    _check_no_folder(path)
    is_used = path.exists() and bool(streams_of(Journal.file(str(path))))
    if is_used:
        note(f"going on with journal `{near(path)}`; what it holds already is not done again")
    return is_used


def tell_if_unused(config: "LiveConfig") -> None:
    """Say that the journal a configuration names is not written on NATS."""
    path = config.journal.path
    if path is not None and config.transport.kind == "nats":
        note(
            f"journals of streams on NATS are kept there; `journal: {{path: {near(path)}}}` is not "
            "written, and only the traffic of crews of CrewAI is kept beside it"
        )


def _check_no_folder(path: Path) -> None:
    if path.is_dir():
        raise JournalError(
            f"`{near(path)}` is a folder; name the journal in it, "
            f"as in `{near(path / 'journal.db')}`"
        )


def _on_nats(config: Path | None) -> Journal | None:
    """The journals of streams on NATS, if that is where the configuration has them."""
    from live_crew.config import load_config
    from live_crew.settings import Settings

    settings = Settings(load_config(config))
    return settings.open_journal() if settings.is_on_nats else None


def _configured(config: Path | None) -> Path | None:
    from live_crew.config import load_config

    path: Any = load_config(config).journal.path
    return Path(path) if path else None


def _some(streams: list[str], most: int = 5) -> str:
    names = ", ".join(f"`{stream}`" for stream in streams[:most])
    more = len(streams) - most
    return f"{names} and {more} more" if more > 0 else names
