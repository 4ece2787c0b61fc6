"""Replays that run crews again: what they are about, and what is told of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from live_crew._script import run_to_end
from live_crew.cli._crews import make_orchestrator, read_config
from live_crew.cli._journal import open_journal, the_stream
from live_crew.cli._out import document, say
from live_crew.cli._progress import waiting
from live_crew.replay import Difference, ReplayedRun, ReplayMode, ReplayResult

__all__ = ["Wanted", "run_again"]

_MOST_TEXT = 300


@dataclass(frozen=True)
class Wanted:
    """Which attempts of which journal are to be run again, on which crews."""

    journal: Path | None
    config: Path | None
    handlers: list[str] | None
    stream: str | None
    first: int | None
    last: int | None
    crew: str | None


def run_again(mode: ReplayMode, wanted: Wanted, as_json: bool) -> None:  # noqa: FBT001
    """Run attempts again and say what differs."""
    opened = open_journal(wanted.journal, wanted.config)
    stream = None if wanted.stream is None else the_stream(opened, wanted.stream)
    orchestrator = make_orchestrator(read_config(wanted.config), wanted.handlers)
    with waiting("running again"):
        result = run_to_end(
            orchestrator.replay(
                opened.path,
                mode,
                stream_id=stream,
                first=wanted.first,
                last=wanted.last,
                crew=wanted.crew,
            )
        )
    if as_json:
        document({"journal": str(opened), **result.to_dict()})
    else:
        for run in result.differing:
            _say_run(run)
        say(_summary(result))
        for crew, count in result.left_out.items():
            many = "1 attempt" if count == 1 else f"{count} attempts"
            say(f"{many} of crew `{crew}` left out: there is no such crew now")
    if not result.ok and mode == "reexecute":
        raise typer.Exit(1)


def _say_run(run: ReplayedRun) -> None:
    again = f", attempt {run.attempt}" if run.attempt > 1 else ""
    say(f"{run.stream_id}: slice {run.slice}, crew `{run.crew}`, run {run.run}{again}")
    for difference in run.differences:
        say(f"  {_field(difference)}")
        if difference.what in ("outcome", "request"):
            recorded, now = _where_they_part(difference)
            say(f"    recorded  {recorded}")
            say(f"    now       {now}")
    if run.hint is not None:
        say(f"  note: {run.hint}")


def _field(difference: Difference) -> str:
    if difference.what in ("outcome", "request"):
        return f"{difference.field} differs"
    return difference.field


def _where_they_part(difference: Difference) -> tuple[str, str]:
    """Both sides, short enough to read: of texts the first line that differs."""
    recorded, now = _told(difference, difference.recorded), _told(difference, difference.now)
    if isinstance(recorded, str) and isinstance(now, str):
        then, today = recorded.splitlines(), now.splitlines()
        for at in range(max(len(then), len(today))):
            if then[at : at + 1] != today[at : at + 1]:
                lines = (side[at] if at < len(side) else None for side in (then, today))
                recorded, now = (None if one is None else one.strip() for one in lines)
                break
    return _short(recorded), _short(now)


def _told(difference: Difference, side: Any) -> Any:
    """What matters of a side: of an outcome the field, of a message its text."""
    if not isinstance(side, dict):
        return side
    if difference.what == "outcome":
        if "reason" in side:
            return f"{side['reason']}: {side['message']}"
        field = {"actions": "actions", "context": "changes", "output": "output"}
        name = field.get(difference.field)
        return side if name is None else side[name]
    both = (difference.recorded, difference.now)
    if all(isinstance(one, dict) and isinstance(one.get("content"), str) for one in both):
        return side["content"]
    return side


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"


def _summary(result: ReplayResult) -> str:
    count = len(result.runs)
    if not count:
        return "no run to replay"
    runs = "1 run" if count == 1 else f"{count} runs"
    if result.ok:
        return f"{runs} again, nothing differs"
    differing = len(result.differing)
    return f"{runs} again, {differing} of them {'differs' if differing == 1 else 'differ'}"
