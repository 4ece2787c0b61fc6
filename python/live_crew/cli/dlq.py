"""`live-crew dlq`."""

import json
from enum import Enum
from typing import Annotated, Any

import typer

from live_crew.cli._options import AsJson, ConfigFile
from live_crew.cli._out import document, note, say
from live_crew.config import load_config
from live_crew.errors import ConfigError, TransportError
from live_crew.settings import Settings

__all__ = ["dlq"]

_SHOWN = 60


class Task(str, Enum):
    """What to do with dead letters."""

    list = "list"
    show = "show"
    requeue = "requeue"


def dlq(
    task: Annotated[Task, typer.Argument(help="`list`, `show` or `requeue`.")] = Task.list,
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Which letters; `list` gives their numbers.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what was refused on NATS, show it whole, or send it again.

    A letter that is sent again goes to its stream as it came the first time, and is gone from the
    list; it comes back if it is still refused. Example: live-crew dlq requeue 7 8
    """
    settings = Settings(load_config(config))
    if not settings.is_on_nats:
        raise ConfigError(
            "there are dead letters with `transport: {kind: nats}` only; elsewhere refused input "
            "is in the file of errors and in what the run says"
        )
    place = settings.place()
    if task is Task.requeue:
        _requeue(place, _some(task, numbers), as_json=as_json)
        return
    letters = {
        number: {"number": number, "stream_id": stream, **json.loads(body)}
        for number, stream, body in place.dead_letters()
    }
    if task is Task.show:
        asked = _some(task, numbers)
        for missing in set(asked) - set(letters):
            raise TransportError(f"there is no dead letter {missing}; see `live-crew dlq list`")
        letters = {number: letters[number] for number in asked}
    if as_json:
        document({"letters": list(letters.values())})
    elif task is Task.show:
        for letter in letters.values():
            say(json.dumps(letter, indent=2, ensure_ascii=False))
    else:
        for letter in letters.values():
            say(_line(letter))
        if not letters:
            note("no dead letters")


def _some(task: Task, numbers: list[int] | None) -> list[int]:
    if not numbers:
        raise typer.BadParameter(f"say which letters: `live-crew dlq {task.value} 7`")
    return numbers


def _requeue(place: Any, numbers: list[int], *, as_json: bool) -> None:
    sent = [(number, place.requeue(number)) for number in numbers]
    if as_json:
        document({"requeued": [{"number": one, "stream_id": stream} for one, stream in sent]})
    else:
        for number, stream in sent:
            note(f"sent {number} to `{stream}` again")


def _line(letter: dict[str, Any]) -> str:
    raw = " ".join(str(letter.get("raw", "")).split())
    shown = raw if len(raw) <= _SHOWN else f"{raw[: _SHOWN - 1]}…"
    where = letter.get("source") or letter["stream_id"] or ""
    reason = letter.get("reason") or "came too late"
    return f"{letter['number']:>6}  {where}  {reason}  {shown}".rstrip()
