"""`live-crew context`."""

from typing import Annotated, Any

import typer

from live_crew._core import Journal
from live_crew.cli._journal import open_journal, the_stream
from live_crew.cli._options import AsJson, ConfigFile, JournalFile, StreamName
from live_crew.cli._out import document, say, table
from live_crew.errors import JournalError
from live_crew.timeslice import checked_slice

__all__ = ["context"]


def context(
    journal: JournalFile = None,
    stream: StreamName = None,
    config: ConfigFile = None,
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="SLICE", help="After this slice; else after the last."),
    ] = None,
    blame: Annotated[
        str | None,
        typer.Option("--blame", metavar="PATH", help="Who wrote this, as in `score.home`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the shared context after a slice, or who wrote what is in it.

    Example: live-crew context --at 83 --blame score.home
    """
    opened = open_journal(journal, config)
    name = the_stream(opened, stream)
    if blame is None:
        at = _last_slice(opened, name) if at is None else checked_slice(at)
        held = opened.context_at(name, at)
        document({"stream_id": name, "slice": at, "context": held} if as_json else held)
        return
    parts = blame.split(".")
    if not all(parts):
        raise typer.BadParameter(f"`{blame}` is no path; write names with `.` between them")
    writes: list[dict[str, Any]] = [
        write for write in opened.blame(name, blame) if at is None or write["slice"] <= at
    ]
    if as_json:
        document({"stream_id": name, "path": blame, "writes": writes})
    elif writes:
        rows = [(w["slice"], w["at"], w["run"], w["op"], w["path"], w["value"]) for w in writes]
        table(("slice", "at", "run", "op", "path", "value"), rows)
    else:
        say(f"nobody wrote `{blame}`" + ("" if at is None else f" up to slice {at}"))


def _last_slice(journal: Journal, stream: str) -> int:
    for one in journal.streams():
        if one["stream_id"] == stream and one["last_slice"] is not None:
            return int(one["last_slice"])
    raise JournalError(f"no slice of stream `{stream}` is committed yet; nothing is in the context")
