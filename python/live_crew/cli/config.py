"""`live-crew config`."""

from dataclasses import asdict
from typing import Annotated

import typer

from live_crew.cli._options import AsJson, ConfigFile
from live_crew.cli._out import document, near, note, table
from live_crew.config import describe, load_config

__all__ = ["config"]


def config(
    path: ConfigFile = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show every setting, its value and its origin (default).")
    ] = False,
    check: Annotated[
        bool, typer.Option("--validate", help="Find what is wrong instead, as `validate` does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is configured and where each value comes from; secrets are not shown.

    Example: LIVE_CREW_SLICE_MS=250 live-crew config --show
    """
    if check and show:
        raise typer.BadParameter("`--show` and `--validate` are two questions; ask one at a time")
    if check:
        from live_crew.cli.validate import validate

        validate(path, as_json)
        return
    loaded = load_config(path)
    settings = describe(loaded)
    source = loaded.origins.source
    if as_json:
        file = source.document.file if source else None
        document({"file": file, "settings": [asdict(setting) for setting in settings]})
        return
    if source is None:
        note("no `live_crew_config.yaml` here; these are the defaults and the environment")
    table(
        ("setting", "value", "from"),
        [(one.path, _short(one.value), near(one.origin)) for one in settings],
    )


def _short(value: object, most: int = 60) -> str:
    """A value on one line."""
    if value is None or isinstance(value, bool):
        return {None: "-", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        value = "[" + ", ".join(map(str, value)) + "]"
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"
