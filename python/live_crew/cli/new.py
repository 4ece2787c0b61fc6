"""`live-crew new`."""

from enum import Enum
from pathlib import Path
from string import Template as Text
from typing import Annotated

import typer

from live_crew.cli._options import AsJson
from live_crew.cli._out import document, say
from live_crew.errors import ConfigError

__all__ = ["new"]

_TEMPLATES = Path(__file__).with_name("templates")


class _Template(str, Enum):
    hello = "hello"
    two_crews = "two-crews"


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The folder to make.")],
    template: Annotated[
        _Template, typer.Option("--template", "-t", help="What to begin with.")
    ] = _Template.hello,
    as_json: AsJson = False,
) -> None:
    """Make a folder of crews that runs at once: configuration, crews, events, a test.

    Nothing is overwritten. Example: live-crew new my_crews --template two-crews
    """
    folder = Path(name)
    if folder.is_file():
        raise ConfigError(f"`{folder}` is a file; choose another name")
    texts = {
        file.name: Text(file.read_text(encoding="utf-8")).safe_substitute(
            name=folder.resolve().name
        )
        for file in sorted((_TEMPLATES / template.value).iterdir())
        if file.is_file()
    }
    if there := [one for one in texts if (folder / one).exists()]:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ConfigError(
            f"`{folder / there[0]}`{more} would be overwritten; choose another folder, "
            "or move what is there"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for one, text in texts.items():
        (folder / one).write_text(text, encoding="utf-8")
    if as_json:
        document({"folder": str(folder), "template": template.value, "files": list(texts)})
        return
    say(f"made {folder} with {', '.join(texts)}")
    say()
    if folder.resolve() != Path.cwd():
        say(f"  cd {folder}")
    say("  live-crew process events.jsonl")
