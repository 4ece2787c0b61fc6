"""`live-crew replay`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from live_crew._core import Journal
from live_crew.cli._journal import open_journal, streams_of, the_stream
from live_crew.cli._options import AsJson, ConfigFile, StreamName
from live_crew.cli._out import document, say
from live_crew.cli._progress import waiting

__all__ = ["replay"]

_LATER = ("reexecute", "live")


def replay(
    journal: Annotated[
        Path | None, typer.Argument(help="The journal; else the configured or default one.")
    ] = None,
    stream: StreamName = None,
    mode: Annotated[
        str, typer.Option("--mode", help="`verify`: nothing runs, every digest is computed again.")
    ] = "verify",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a journal: fold it again and compare every digest. Exits with 1 where they part.

    Without -s every stream is verified. Example: live-crew replay .live_crew/journal.db -s match42
    """
    if mode != "verify":
        later = "is not there yet" if mode in _LATER else "is no mode"
        raise typer.BadParameter(f"`--mode {mode}` {later}; use `verify`")
    opened = open_journal(journal, config)
    names = streams_of(opened) if stream is None else [the_stream(opened, stream)]
    with waiting("verifying"):
        verdicts = [opened.verify(name) for name in names]
    is_ok = all(verdict["divergence"] is None for verdict in verdicts)
    if as_json:
        told = [{**one, "digests": _digests(opened, one["stream_id"])} for one in verdicts]
        document({"journal": str(opened.path), "mode": mode, "ok": is_ok, "streams": told})
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
