"""`live-crew validate`."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from live_crew.cli._crews import (
    folder_of,
    import_from,
    load_problems,
    plan_of,
    problems_of_crews,
)
from live_crew.cli._journal import tell_if_unused
from live_crew.cli._options import AsJson
from live_crew.cli._out import document, fail, paint, say
from live_crew.config import CrewEntry, read_config
from live_crew.config._problems import in_order
from live_crew.errors import ConfigError, Problem
from live_crew.orchestrator import Orchestrator

__all__ = ["check", "tell_problems", "validate"]

_NOTHING = (
    "there is no `live_crew_config.yaml` here; name a configuration, "
    "or make one with `live-crew new my_crews`"
)


def validate(
    config: Annotated[
        Path | None, typer.Argument(help="The configuration; else `live_crew_config.yaml` here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find everything that is wrong with a configuration and its crews, with file and line.

    Example: live-crew validate live_crew_config.yaml
    """
    found, problems = check(config)
    if as_json:
        told = [asdict(problem) for problem in problems]
        document({"ok": not problems, "crews": found, "problems": told})
    elif problems:
        tell_problems(problems)
    else:
        names = ", ".join(f"`{name}`" for name in found)
        many = "1 crew" if len(found) == 1 else f"{len(found)} crews"
        say(f"{paint('ok', 'green', sys.stdout)}: {many}: {names}")
    if problems:
        raise typer.Exit(1)


def check(path: Path | None) -> tuple[list[str], list[Problem]]:
    """The crews of a configuration in their order, and everything that is wrong with them."""
    try:
        config, problems = read_config(path)
    except ConfigError as error:
        return [], _told(error)
    if config is None:
        return [], in_order(problems)
    if config.origins.source is None and not config.crews and not problems:
        return [], [Problem(_NOTHING)]
    import_from(folder_of(config))
    # One crew that is wrong does not hide what is wrong with the others.
    right: list[CrewEntry] = []
    for entry in config.crews:
        wrong = list(problems_of_crews(config, {entry.name}))
        problems += wrong
        right += [] if wrong else [entry]
    config = config.model_copy(update={"crews": tuple(right)})
    names: list[str] = []
    try:
        orchestrator = Orchestrator(config=config)
        # Crews may need those that are left out.
        names = [] if problems else plan_of(orchestrator, config).crews
    except ConfigError as error:
        problems += _told(error)
    else:
        problems += asyncio.run(load_problems(orchestrator, config))
    if problems:
        return [], in_order(problems)
    if not names:
        return [], [config.origins.problem((), "lists no crews; add some under `crews:`")]
    tell_if_unused(config)
    return names, []


def _told(error: ConfigError) -> list[Problem]:
    return list(error.problems) or [Problem(str(error))]


def tell_problems(problems: Iterable[Problem]) -> None:
    """Print problems, one a line, with their number at the end."""
    problems = list(problems)
    for problem in problems:
        say(str(problem))
    fail("1 problem" if len(problems) == 1 else f"{len(problems)} problems")
