"""`live-crew schema`."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from live_crew.cli._options import AsJson
from live_crew.cli._out import document, note, writing

__all__ = ["schema"]


class _File(str, Enum):
    config = "config"
    runtime = "runtime"


def schema(
    of: Annotated[
        _File,
        typer.Argument(
            metavar="config|runtime", help="live_crew_config.yaml, or a <crew>.runtime.yaml."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it to this file.")
    ] = None,
    as_json: AsJson = False,  # noqa: ARG001 (it is JSON in any case)
) -> None:
    """Print the JSON Schema of a configuration file, so that editors complete and check it.

    Example: live-crew schema config -o live_crew_config.schema.json
    """
    from live_crew.schema import json_schema

    name: Literal["config", "runtime"] = of.value
    made = json_schema(name)
    if output is None:
        document(made)
        return
    text = json.dumps(made, indent=2, ensure_ascii=False)
    with writing(f"`{output}`"):
        output.write_text(text + "\n", encoding="utf-8")
    note(
        f"wrote {output}; begin the YAML file with `# yaml-language-server: $schema={output.name}`"
    )
