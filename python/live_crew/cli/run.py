"""`live-crew run`."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from live_crew._core import Nats
from live_crew.cli._actions import check_apart, lines_of, whole_errors
from live_crew.cli._crews import config_for_run, crews_here, make_orchestrator
from live_crew.cli._live import Live
from live_crew.cli._options import AsJson, ConfigFile, Handlers
from live_crew.cli._out import document
from live_crew.cli._sight import Sight
from live_crew.cli._told import summary_of, tell_failed, tell_summary
from live_crew.cli._transport import follow
from live_crew.config import FileTransport
from live_crew.errors import ModelError
from live_crew.models import Event
from live_crew.settings import Settings

__all__ = ["run"]

_INTERRUPTED = 130


def run(
    stream: Annotated[
        str | None, typer.Option("-s", "--stream", help="Take only events of this stream.")
    ] = None,
    config: ConfigFile = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Append actions to this file.")
    ] = None,
    handlers: Handlers = None,
    journal: Annotated[
        Path | None,
        typer.Option("-j", "--journal", help="The journal to write, or to go on with."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run crews live, in real time; actions are printed as JSON Lines as they come.

    Events are lines of JSON on standard input, or in the file that `transport: {kind: file}` names,
    which is followed as it grows, or come over NATS with `transport: {kind: nats}`, whose server is
    waited for if it is away.

    Ctrl-C finishes what is under way, a second one does not wait.
    LIVE_CREW_SELECTOR='(scorer|commentator)' runs only these crews.

    A journal that is named, here or in the configuration, is gone on with after a restart; else
    `.live_crew/journal.db` is made anew, and the one of the run before is kept beside it.

    Example: tail -f goals.jsonl | live-crew run -s match42 --handlers crews
    """
    if stream is not None:
        _check_name(stream)
    settings, make_room = config_for_run(config, journal, "realtime")
    place = settings.transport if isinstance(settings.transport, FileTransport) else None
    followed = Path(place.path) if place and place.path != "-" else None
    if settings.transport.kind != "nats":
        check_apart(followed or "-", settings, output)
    with ExitStack() as stack:
        out = lines_of(settings, output, as_json=as_json, append=True, at_once=True)
        lines = stack.enter_context(out)
        orchestrator = make_orchestrator(settings, handlers, actions=lines)
        is_going_on = make_room()
        source: str | Nats | None = None
        look = None
        if followed is not None:
            source = stack.enter_context(follow(followed, stream))
        elif settings.transport.kind == "nats":
            source = Settings(settings).place(stream, crews_here(settings, handlers), waits=True)
            look = Sight(source, settings.transport, stream).look
        began = time.monotonic()
        live = Live(orchestrator, stream, look)
        with whole_errors(lines):
            result = asyncio.run(live.over(source, followed))
        seconds = time.monotonic() - began
    is_ok = result.ok and not live.refused
    if as_json:
        told = summary_of(result, seconds)
        document({**told, "ok": is_ok, "refused": [*told["refused"], *live.refused]})
    else:
        tell_failed(result.failed)
        tell_summary(result, seconds, refused=len(live.refused), goes_on=is_going_on)
    if live.asked and result.ending == "aborted":
        raise typer.Exit(_INTERRUPTED)
    if not is_ok:
        raise typer.Exit(1)


def _check_name(stream: str) -> None:
    """Refuse a name that no event can have; else the run would wait for one in vain."""
    try:
        Event(kind="any", stream_id=stream)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from None
