"""How a run is told: what failed, what was refused, and what there was in all."""

import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from live_crew.cli._exit import wants_traceback
from live_crew.cli._out import near, note, paint
from live_crew.errors import MultiCrewError
from live_crew.result import Refusal, RunResult

__all__ = ["summary_of", "tell_errors", "tell_failed", "tell_refusals", "tell_summary"]

_MOST = 10


def tell_errors(errors: Sequence[MultiCrewError], most: int = _MOST) -> None:
    """Say which crews failed, where, and what helps."""
    for error in errors[:most]:
        _tell_error(error)
    _tell_rest(len(errors) - most, "failed runs")


def _tell_error(error: MultiCrewError) -> None:
    place = f"crew `{error.crew}`, stream `{error.stream_id}`, slice {error.slice}"
    note(f"{paint('failed:', 'red', sys.stderr)} {place}: {error.reason}: {error.message}")
    for need, met in error.dependencies.items():
        note(f"  needs {need}: " + ("missing" if met is None else f"met by slice {met}"))
    if error.__cause__ is not None and wants_traceback():
        traceback.print_exception(error.__cause__)
    elif error.__cause__ is not None:
        frame = traceback.extract_tb(error.__cause__.__traceback__)[-1:]
        note("".join(f"  at {near(one.filename)}:{one.lineno}, in {one.name}" for one in frame))
    for suggestion in _suggestions(error.suggestions):
        note(f"  try: {suggestion}")


def _suggestions(given: Sequence[str]) -> Iterator[str]:
    """What helps here: who writes Python can raise the error, a command has a variable."""
    for suggestion in given:
        if "`raise " not in suggestion:
            yield suggestion
        elif not wants_traceback():
            yield "LIVE_CREW_TRACEBACK=1 shows the traceback"


def summary_of(result: RunResult, seconds: float) -> dict[str, Any]:
    """A run as the document of `--json`."""
    told = result.model_dump()
    errors = [
        {**error, "suggestions": list(_suggestions(error["suggestions"]))}
        for error in told["errors"]
    ]
    return {**told, "errors": errors, "seconds": round(seconds, 3)}


def tell_failed(failed: Mapping[str, str], most: int = _MOST) -> None:
    """Say which streams stopped, and why."""
    for stream, why in list(failed.items())[:most]:
        note(f"{paint('failed:', 'red', sys.stderr)} stream `{stream}`: {why}")
    _tell_rest(len(failed) - most, "failed streams")


def tell_refusals(refusals: Sequence[Refusal], most: int = _MOST) -> None:
    """Say what input was refused, where, and why."""
    for refusal in refusals[:most]:
        note(f"{paint('refused:', 'yellow', sys.stderr)} {refusal}")
    _tell_rest(len(refusals) - most, "refused events")


def tell_summary(
    result: RunResult, seconds: float, *, refused: int = 0, goes_on: bool = False
) -> None:
    """Say in one line what a run did; what it `goes_on` with is told apart from what is new."""
    counters = result.counters
    # These are of the journal, those below of this run.
    whole = [
        _many(result.events_processed, "event"),
        _many(counters.get("landed", 0) + counters.get("failed", 0), "run"),
        *_some(counters.get("late", 0), "late"),
        *_some(counters.get("duplicates", 0), "duplicate"),
    ]
    now = [
        *_some(counters.get("errors", 0), "error"),
        *_some(counters.get("refused", 0) + refused, "refused"),
    ]
    if goes_on:
        new = _many(result.actions_published, "new action")
        told = f"journal holds {', '.join(whole)}; {', '.join([new, *now])}"
    else:
        actions = _many(result.actions_published, "action")
        told = ", ".join([*whole[:2], actions, *now, *whole[2:]])
    ending = {"finished": "done", "drained": "drained", "aborted": "aborted"}[result.ending]
    color = "green" if result.ok and not refused else "red"
    note(f"{paint(ending, color, sys.stderr)}: {told} in {seconds:.2f} s")


def _some(count: int, name: str) -> list[str]:
    """A count that is told if there is something to tell."""
    if not count:
        return []
    return [f"{count:,} {name}" if name in ("refused", "late") else _many(count, name)]


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _tell_rest(count: int, of: str) -> None:
    if count > 0:
        note(f"… and {count:,} more {of}; `--json` has them all")
