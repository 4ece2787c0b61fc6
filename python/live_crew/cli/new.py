"""`live-crew new`."""

import json
import shlex
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from string import Template as Text
from typing import Annotated

import typer

from live_crew.cli._options import AsJson
from live_crew.cli._out import document, say, writing
from live_crew.errors import ConfigError

__all__ = ["new"]

_TEMPLATES = Path(__file__).with_name("templates")


class _Template(str, Enum):
    hello = "hello"
    two_crews = "two-crews"
    crewai = "crewai"


def new(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The folder to make.")] = None,
    template: Annotated[
        _Template | None,
        typer.Option("--template", "-t", help="What to begin with; else `hello`."),
    ] = None,
    from_handlers: Annotated[
        list[str] | None,
        typer.Option(
            "--from-handlers",
            metavar="MODULE[:NAME]",
            help="Write a handler, or all of a module, as crews of CrewAI. May be given again.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a folder of crews that runs at once: configuration, crews, events, a test.

    With --from-handlers each handler is written as a crew, below `crews` in NAME, or here: in YAML
    and in Python, with answers to run it offline. What its code does not say is a TODO line.

    Nothing is overwritten. Example: live-crew new my_crews --template two-crews
    """
    if from_handlers:
        if template is not None:
            raise typer.BadParameter("`--template` goes with a new folder; leave it away")
        _migrate(from_handlers, Path(name or "."), as_json=as_json)
        return
    if name is None:
        raise typer.BadParameter("name the folder to make, as in `live-crew new my_crews`")
    _begin(Path(name), (template or _Template.hello).value, as_json=as_json)


def _begin(folder: Path, template: str, *, as_json: bool) -> None:
    """A folder out of a template."""
    home = _TEMPLATES / template
    texts = {
        file.relative_to(home).as_posix(): Text(file.read_text(encoding="utf-8")).safe_substitute(
            name=folder.resolve().name
        )
        for file in sorted(home.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }
    _write(folder, texts)
    if as_json:
        document({"folder": str(folder), "template": template, "files": list(texts)})
        return
    say(f"made {folder} with {', '.join(texts)}")
    say()
    _say_where(folder)
    say("  live-crew process events.jsonl")


def _migrate(names: list[str], folder: Path, *, as_json: bool) -> None:
    """Handlers as crews."""
    from live_crew.cli._migrate.files import migration_of

    made = migration_of(names, folder)
    _write(folder, made.files)
    if as_json:
        lines = {"config": made.config, "crews": made.lines}
        files = {"folder": str(folder), "files": list(made.files), "todos": made.todos}
        document({**files, **lines})
        return
    for crew in made.crews:
        say(f"made {folder / 'crews' / crew.name} with {', '.join(crew.files())}")
    if made.config is None:
        say(f"made {folder / 'live_crew_config.yaml'}")
    else:
        say(f"\nadd to `crews:` of {folder / made.config}, in the place of the handlers:\n")
        say("\n".join(made.lines))
    todos = "1 line begins" if made.todos == 1 else f"{made.todos} lines begin"
    say(f"\n{todos} with `TODO`: what the code of a handler does not say\n")
    _say_where(folder)
    say("  live-crew validate")
    if (folder / "events.jsonl").exists():
        say("  live-crew process events.jsonl")
        return
    first = made.crews[0]
    kind = first.handler.kinds[0].replace("*", "x")
    payload = shlex.quote(json.dumps(first.payload(), ensure_ascii=False))
    say(f"  live-crew publish -k {kind} -p {payload} | live-crew process -")


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, all or none of them."""
    if folder.is_file():
        raise ConfigError(f"`{folder}` is a file; choose another name")
    if there := [one for one in texts if (folder / one).exists()]:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ConfigError(
            f"`{folder / there[0]}`{more} would be overwritten; choose another folder, "
            "or move what is there"
        )
    for one, text in texts.items():
        file = folder / one
        file.parent.mkdir(parents=True, exist_ok=True)
        with writing(f"`{file}`"):
            file.write_text(text, encoding="utf-8")


def _say_where(folder: Path) -> None:
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
