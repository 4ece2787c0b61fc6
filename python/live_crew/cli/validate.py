"""`live-crew validate`."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from live_crew.cli._crews import load_problems, plan_of, problems_of_crews, read_config
from live_crew.cli._options import AsJson
from live_crew.cli._out import document, fail, paint, say
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
        config = read_config(path)
        if config.origins.source is None and not config.crews:
            return [], [Problem(_NOTHING)]
        problems = list(problems_of_crews(config, {crew.name for crew in config.crews}))
        if problems:
            return [], problems
        orchestrator = Orchestrator(config=config)
        plan = plan_of(orchestrator, config)
        if problems := asyncio.run(load_problems(orchestrator, config)):
            return [], problems
    except ConfigError as error:
        return [], list(error.problems) or [Problem(str(error))]
    if not plan.crews:
        return [], [config.origins.problem((), "lists no crews; add some under `crews:`")]
    return plan.crews, []


def tell_problems(problems: Iterable[Problem]) -> None:
    """Print problems, one a line, with their number at the end."""
    problems = list(problems)
    for problem in problems:
        say(str(problem))
    fail("1 problem" if len(problems) == 1 else f"{len(problems)} problems")
