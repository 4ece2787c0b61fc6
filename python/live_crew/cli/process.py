"""`live-crew process`."""

import asyncio
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from live_crew.cli._actions import check_apart, lines_of, whole_errors
from live_crew.cli._crews import config_for_run, make_orchestrator
from live_crew.cli._options import AsJson, ConfigFile, Handlers
from live_crew.cli._out import document, is_terminal
from live_crew.cli._progress import watching
from live_crew.cli._told import summary_of, tell_errors, tell_failed, tell_refusals, tell_summary
from live_crew.errors import TransportError

__all__ = ["process"]


def process(
    events: Annotated[
        str, typer.Argument(help="Events as JSON Lines or a JSON array; `-` is standard input.")
    ],
    config: ConfigFile = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write actions to this file.")
    ] = None,
    handlers: Handlers = None,
    journal: Annotated[
        Path | None,
        typer.Option("-j", "--journal", help="The journal to write, or to go on with."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run crews over a file of events, as fast as possible; actions are printed as JSON Lines.

    Time is virtual: the same file gives the same actions. A journal that is named, here or in the
    configuration, is gone on with; else `.live_crew/journal.db` is made, and the one of the run
    before is kept as `.live_crew/journal.prev.db` (`live-crew diff` compares the two).

    Exits with 1 if a crew or a stream failed, or input was refused.

    Example: live-crew process events.jsonl --handlers crews -o actions.jsonl
    """
    settings, make_room = config_for_run(config, journal, "virtual")
    check_apart(events, settings, output)
    with lines_of(settings, output, as_json=as_json, append=False, at_once=False) as lines:
        orchestrator = make_orchestrator(settings, handlers, actions=lines)
        _check(events)
        is_going_on = make_room()
        began = time.monotonic()
        is_printing = lines is not None and output is None and is_terminal(sys.stdout)
        is_quiet = as_json or is_printing
        watched = nullcontext() if is_quiet else watching(orchestrator, _size(events))
        with watched, whole_errors(lines):
            result = asyncio.run(orchestrator.run(events))
        seconds = time.monotonic() - began
    if as_json:
        document(summary_of(result, seconds))
    else:
        tell_errors(result.errors)
        tell_failed(result.failed)
        tell_refusals(result.refused)
        tell_summary(result, seconds, goes_on=is_going_on)
    if not result.ok:
        raise typer.Exit(1)


def _size(events: str) -> int | None:
    """How many bytes there will be, where somebody knows."""
    return Path(events).stat().st_size if Path(events).is_file() else None


def _check(events: str) -> None:
    """Say no before a journal is made for a file that cannot be read."""
    if events != "-" and not os.access(events, os.R_OK):
        wrong = "may not be read" if Path(events).exists() else "is not there"
        raise TransportError(f"`{events}` {wrong}; check the path")
    if Path(events).is_dir():
        raise TransportError(f"`{events}` is a directory; name a file of events in it")
