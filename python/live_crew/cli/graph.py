"""`live-crew graph`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from live_crew.cli._crews import make_orchestrator, plan_of, read_config
from live_crew.cli._draw import mermaid, svg
from live_crew.cli._options import AsJson, ConfigFile, Handlers
from live_crew.cli._out import document, note, say, writing

__all__ = ["graph"]


class _Format(str, Enum):
    mermaid = "mermaid"
    svg = "svg"
    json = "json"


def graph(
    config: ConfigFile = None,
    handlers: Handlers = None,
    form: Annotated[
        _Format, typer.Option("--format", "-f", help="How to draw it.")
    ] = _Format.mermaid,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw crews, what triggers them and what they need; levels are the order within a slice.

    Example: live-crew graph --format svg -o crews.svg
    """
    settings = read_config(config)
    plan = plan_of(make_orchestrator(settings, handlers), settings)
    crews = [{**crew, "needs": [list(need) for need in crew["needs"]]} for crew in plan.graph()]
    if as_json or form is _Format.json:
        names = ("type", "name", "offset")
        needs = [[dict(zip(names, need, strict=True)) for need in crew["needs"]] for crew in crews]
        told = [{**crew, "needs": need} for crew, need in zip(crews, needs, strict=True)]
        document({"slice_ms": plan.slice_ms, "crews": told})
        return
    drawn = svg(crews) if form is _Format.svg else mermaid(crews)
    if output is None:
        say(drawn)
    else:
        with writing(f"`{output}`"):
            output.write_text(drawn + "\n", encoding="utf-8")
        note(f"wrote {output}")
