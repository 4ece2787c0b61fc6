"""`live-crew publish`."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from live_crew.cli._actions import lines_to
from live_crew.cli._options import AsJson, ConfigFile
from live_crew.cli._out import document, near, note
from live_crew.config import FileTransport, load_config
from live_crew.errors import ModelError
from live_crew.events import load_events_from_file
from live_crew.models import Event
from live_crew.settings import Settings

__all__ = ["publish"]

# Events on their way to a server at a time.
_AT_ONCE = 1_000


def publish(
    events: Annotated[
        str | None, typer.Argument(help="Events to write; `-` is standard input.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Kind of one event.")] = None,
    stream: Annotated[str, typer.Option("--stream", "-s", help="Its stream.")] = "main",
    payload: Annotated[str, typer.Option("--payload", "-p", help="Its payload, as JSON.")] = "{}",
    config: ConfigFile = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Append to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write events as JSON Lines: one made of options with its time now, or those of a file.

    With `transport: {kind: nats}` they are sent there.

    Else they are appended to the file that `transport: {kind: file}` follows, or to the one of
    -o; without either they go to standard output. Nothing is written or sent if one of them cannot
    be an event.

    Example: live-crew publish --kind goal --stream match42 --payload '{"team": "home"}'
    """
    if (events is None) == (kind is None):
        raise typer.BadParameter("give either `--kind`, for one event, or a file of events")
    made = load_events_from_file(events) if events is not None else [_event(kind, stream, payload)]
    settings = Settings(load_config(config))
    if output is None and settings.is_on_nats:
        place = settings.place()
        for at in range(0, len(made), _AT_ONCE):
            place.publish(made[at : at + _AT_ONCE])
        _tell_sent(made, settings.config.transport, as_json=as_json)
        return
    target = output or _followed(settings.config.transport)
    if not as_json or target is not None:
        with lines_to(target, append=True) as lines:
            for event in made:
                lines.write(event.model_dump_json())
    if as_json:
        told = [event.model_dump(mode="json") for event in made]
        document({"events": told, "file": target and str(target)})
    elif target is not None:
        note(f"appended {'1 event' if len(made) == 1 else f'{len(made)} events'} to {near(target)}")


def _event(kind: str | None, stream: str, payload: str) -> Event[Any]:
    try:
        said = json.loads(payload, parse_constant=_refuse_constant)
    except ValueError as error:
        raise typer.BadParameter(
            f'`--payload {payload}` is no JSON: {error}; quote it: --payload \'{{"team": "home"}}\''
        ) from None
    now = datetime.now(timezone.utc)
    try:
        return Event.model_validate({"ts": now, "kind": kind, "stream_id": stream, "payload": said})
    except ModelError as error:
        raise typer.BadParameter(str(error)) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"`{name}` is no JSON value")


def _tell_sent(made: list[Event[Any]], transport: Any, *, as_json: bool) -> None:
    servers = [_without_credentials(url) for url in transport.url]
    if as_json:
        told = [event.model_dump(mode="json") for event in made]
        document({"events": told, "servers": servers})
    else:
        many = "1 event" if len(made) == 1 else f"{len(made)} events"
        note(f"sent {many} to {' and '.join(servers)}")


def _without_credentials(url: str) -> str:
    scheme, colon, rest = url.rpartition("://")
    # A password may have an `@` in it; the last one is before the host.
    return f"{scheme}{colon}{rest.rpartition('@')[2]}"


def _followed(transport: Any) -> Path | None:
    """The file that a configured transport follows."""
    if isinstance(transport, FileTransport) and transport.path != "-":
        return Path(transport.path)
    return None
