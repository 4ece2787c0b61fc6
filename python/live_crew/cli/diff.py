"""`live-crew diff`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from live_crew.cli._journal import open_journal, streams_of, the_stream
from live_crew.cli._options import AsJson, StreamName
from live_crew.cli._out import document, say
from live_crew.cli._progress import waiting
from live_crew.errors import JournalError

__all__ = ["diff"]


def diff(
    a: Annotated[Path, typer.Argument(help="A journal.")],
    b: Annotated[Path, typer.Argument(help="Another journal.")],
    stream: StreamName = None,
    as_json: AsJson = False,
) -> None:
    """Find where two journals part. Exits with 1 if they do.

    Without -s every stream is compared. Example: live-crew diff monday.db tuesday.db -s match42
    """
    left, right = open_journal(a), open_journal(b)
    if stream is not None:
        names = [the_stream(left, stream)]
        the_stream(right, stream)
    else:
        names = sorted({*streams_of(left), *streams_of(right)})
        if not names:
            raise JournalError("neither journal has a stream; nothing was run")
    with waiting("comparing"):
        found = {name: _first(name, left, right) for name in names}
    is_same = not any(found.values())
    if as_json:
        streams = [{"stream_id": name, "difference": one} for name, one in found.items()]
        document({"same": is_same, "streams": streams})
    else:
        for name, one in found.items():
            _say_difference(name, one, a, b)
    if not is_same:
        raise typer.Exit(1)


def _first(name: str, left: Any, right: Any) -> dict[str, Any] | None:
    sides = [name in streams_of(journal) for journal in (left, right)]
    if all(sides):
        difference: dict[str, Any] | None = left.difference(right, name)
        return difference
    has, has_not = "the stream", "no such stream"
    there, here = (has if side else has_not for side in sides)
    return {
        "slice": None,
        "section": "streams",
        "run": None,
        "field": "stream_id",
        "left": there,
        "right": here,
    }


def _say_difference(name: str, found: dict[str, Any] | None, a: Path, b: Path) -> None:
    if found is None:
        say(f"{name}: the same")
        return
    place = "from the start" if found["slice"] is None else f"in slice {found['slice']}"
    run = f", run `{found['run']}`" if found["run"] else ""
    field = f".{found['field']}" if found["field"] else ""
    say(f"{name}: parts {place}{run}: {found['section']}{field}")
    width = max(len(str(a)), len(str(b)))
    say(f"  {a!s:<{width}}  {found['left']}")
    say(f"  {b!s:<{width}}  {found['right']}")
