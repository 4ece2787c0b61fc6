"""`live-crew replay`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from live_crew._core import Journal
from live_crew.cli._journal import open_journal, streams_of, the_stream
from live_crew.cli._options import AsJson, ConfigFile, Handlers, StreamName
from live_crew.cli._out import document, say
from live_crew.cli._progress import waiting

if TYPE_CHECKING:
    from live_crew.replay import ReplayMode

__all__ = ["replay"]


def replay(
    journal: Annotated[
        Path | None, typer.Argument(help="The journal; else the configured or default one.")
    ] = None,
    stream: StreamName = None,
    mode: Annotated[
        str, typer.Option("--mode", help="`verify`, `reexecute` or `live`, as told above.")
    ] = "verify",
    first: Annotated[
        int | None, typer.Option("--from", metavar="SLICE", help="Runs that began then or later.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--to", metavar="SLICE", help="Runs that began then or before.")
    ] = None,
    crew: Annotated[str | None, typer.Option("--crew", help="Runs of this crew only.")] = None,
    config: ConfigFile = None,
    handlers: Handlers = None,
    as_json: AsJson = False,
) -> None:
    """Verify a journal, or run its crews again. Without -s every stream is replayed.

    verify: nothing runs; every digest is computed again. Exits with 1 where they part.

    reexecute: every attempt runs again with what it was given then. What models and tools
    answered then is served, so none of them is called. Exits with 1 if anything differs.

    live: the same with real models and tools. What differs is the result, so it exits with 0.

    Handlers are called again in both. Nothing is published and nothing is written.

    Example: live-crew replay .live_crew/journal.db -s match42 --mode reexecute --from 10
    """
    if mode in ("reexecute", "live"):
        from live_crew.cli._again import Wanted, run_again

        run_again(
            cast("ReplayMode", mode),
            Wanted(journal, config, handlers, stream, first, last, crew),
            as_json,
        )
        return
    if mode != "verify":
        raise typer.BadParameter(f"`--mode {mode}` is no mode; use `verify`, `reexecute` or `live`")
    for name, given in (("--from", first), ("--to", last), ("--crew", crew)):
        if given is not None:
            raise typer.BadParameter(f"`{name}` needs `--mode reexecute` or `--mode live`")
    opened = open_journal(journal, config)
    names = streams_of(opened) if stream is None else [the_stream(opened, stream)]
    with waiting("verifying"):
        verdicts = [opened.verify(name) for name in names]
    is_ok = all(verdict["divergence"] is None for verdict in verdicts)
    if as_json:
        told = [{**one, "digests": _digests(opened, one["stream_id"])} for one in verdicts]
        document({"journal": str(opened), "mode": mode, "ok": is_ok, "streams": told})
    else:
        for verdict in verdicts:
            _say_verdict(verdict)
        if not verdicts:
            say("the journal has no streams")
    if not is_ok:
        raise typer.Exit(1)


def _digests(journal: Journal, stream: str) -> list[dict[str, Any]]:
    return [{"slice": at, "digest": digest} for at, digest in journal.digests(stream)]


def _say_verdict(verdict: dict[str, Any]) -> None:
    name, found = verdict["stream_id"], verdict["divergence"]
    if found is None:
        size = f"{verdict['commits']} commits, {verdict['records']} records"
        last = verdict["last_slice"]
        reach = "no slice committed" if last is None else f"up to slice {last}"
        say(f"{name}: verified, {reach} ({size}), digest {verdict['digest'] or 'none'}")
        return
    place = f"frame {found['frame']}" if found["slice"] is None else f"slice {found['slice']}"
    crew = f", crew `{found['crew']}`" if found["crew"] else ""
    say(f"{name}: parts in {place}{crew}: {found['field']}")
    say(f"  journal  {found['journal']}")
    say(f"  replay   {found['fold']}")
