"""`live-crew explain`."""

import re
from typing import Annotated

import typer

from live_crew.cli._journal import open_journal, the_stream
from live_crew.cli._options import AsJson, ConfigFile, JournalFile, StreamName
from live_crew.cli._out import document, say
from live_crew.story import story

__all__ = ["explain"]


def explain(
    what: Annotated[str, typer.Argument(metavar="CREW@SLICE", help="For example `analytics@3`.")],
    journal: JournalFile = None,
    stream: StreamName = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say why a crew ran, waits, or did not run in a slice.

    Example: live-crew explain analytics@3 -s match42
    """
    crew, at = _crew_and_slice(what)
    opened = open_journal(journal, config)
    name = the_stream(opened, stream)
    told = opened.explain(name, crew, at)
    if as_json:
        document({"stream_id": name, **{key: one for key, one in told.items() if key != "text"}})
    else:
        say(story(told))


def _crew_and_slice(what: str) -> tuple[str, int]:
    found = re.fullmatch(r"([^@]+)@(-?\d{1,18})", what, re.ASCII)
    if found is None:
        raise typer.BadParameter(
            f"`{what}` is no crew and slice; write `crew@slice`, as in `analytics@3`"
        )
    return found[1], int(found[2])
