"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

from typer import Option

__all__ = ["AsJson", "ConfigFile", "Handlers", "JournalFile", "StreamName"]

AsJson = Annotated[
    bool,
    Option("--json", help="Print one JSON document and nothing else; `error` is what went wrong."),
]
ConfigFile = Annotated[
    Path | None,
    Option("-c", "--config", help="The configuration; else `live_crew_config.yaml` here."),
]
Handlers = Annotated[
    list[str] | None,
    Option(
        "--handlers",
        metavar="MODULE[:NAME]",
        help="Add a handler, or all of a module. May be given again.",
    ),
]
JournalFile = Annotated[
    Path | None,
    Option(
        "-j",
        "--journal",
        help="The journal; else that of the configuration, or .live_crew/journal.db.",
    ),
]
StreamName = Annotated[
    str | None, Option("-s", "--stream", help="The stream; may be left out if there is one.")
]
