"""What happened in a stream as text, a line for each run; and the comparison with what must have.

```text
0  greet      user_signup {"name":"Ada"}           → greeting "Welcome Ada!"  ctx users=1
1  analytics  user_signup @0 with greet@-1=0       → nothing
2  flaky      frame {"n":1}, frame {"n":2}         ! error: ValueError: boom
2  conflict   score.home: `a/2.0` and `b/2.0`
```

A line has the slice a run landed in, its crew, its triggers (with the slice that triggered it, if
that is another one), its needs with the slices that met them, its actions or why it failed, and
what it changed in the context. How much space is between them does not matter.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from difflib import ndiff
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from live_crew._core import Context
    from live_crew.models import Event
    from live_crew.orchestrator import Orchestrator
    from live_crew.result import RunResult
    from live_crew.testing.stream import StreamResult, TestStream

__all__ = ["Witness", "assert_timeline", "timeline_of"]

_TEXT_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')
_LANDED = {"outcome": "ok"}
_OPS = {"set": "{path}={value}", "incr": "{path}+={value}", "append": "{path}+=[{value}]"}


def assert_timeline(told: StreamResult | TestStream, text: str) -> None:
    """Compare what happened with a text; a stream that has not run yet is run.

    What differs is shown line by line, and then what happened as a text to paste.
    """
    __tracebackhide__ = True
    from live_crew.testing.stream import StreamResult, TestStream

    if isinstance(told, TestStream):
        told = told.result or told.run()
    if not isinstance(told, StreamResult):
        raise TypeError(f"a timeline is told by a TestStream or its result, not by {told!r}")
    actual, expected = told.timeline.splitlines(), text.strip().splitlines()
    if list(map(_bare, actual)) == [bare for line in expected if (bare := _bare(line))]:
        return
    lines = _differences([line.strip() for line in expected if line.strip()], actual)
    happened = "\n".join(f"    {line}" for line in actual) or "    (nothing)"
    raise AssertionError(
        "the timeline came out differently:\n"
        + "\n".join(lines)
        + f"\n\nwhat happened:\n{happened}"
    )


@dataclass
class Witness:
    """Sees the triggers of each run as it starts: no question to a journal gives them."""

    _triggers: dict[tuple[str, str], list[Event[Any]]] = field(default_factory=dict)

    def saw(self, context: Context) -> None:
        """Take down what a run was given."""
        self._triggers[context.stream_id, context.run] = list(context.events)

    def triggers(self, stream_id: str, run: str) -> list[Event[Any]] | None:
        """The triggers of a run, if it started."""
        return self._triggers.get((stream_id, run))


def timeline_of(orchestrator: Orchestrator, result: RunResult, witness: Witness) -> str:
    """All lines, in the order in which slices took the runs."""
    streams = sorted(result.digests)
    lines: list[str] = []
    for stream in streams:
        if len(streams) > 1:
            lines.append(f"stream {stream}")
        lines += _aligned(_Stream(orchestrator, result, witness, stream).rows())
    return "\n".join(lines)


class _Stream:
    """The runs of one stream, put together from what the journal and the result say."""

    def __init__(
        self, orchestrator: Orchestrator, result: RunResult, witness: Witness, stream: str
    ) -> None:
        self.crews = orchestrator.crews
        self.journal = orchestrator.journal
        self.result = result
        self.witness = witness
        self.stream = stream

    def rows(self) -> list[tuple[str, ...]]:
        """Slice, crew, triggers, outcome and context of each run."""
        stories = self._stories()
        actions = self._actions(stories)
        ended = sorted(stories, key=lambda run: (stories[run]["ended"], self._order(run)))
        rows = [(run, stories[run]) for run in ended]
        lines = [
            (
                story["ended"],
                _crew_of(run),
                self._cause(run, story),
                _outcome(story, actions[run]),
                _context(story["writes"]),
            )
            for run, story in rows
        ]
        own = (error for error in self.result.errors if error.stream_id == self.stream)
        lines += [
            (error.slice, *_trouble(error.crew, error.reason, error.message), "", "")
            for error in own
            if stories.get(error.run or "", _LANDED)["outcome"] == "ok"
        ]
        lines.sort(key=lambda line: line[0])
        return [tuple(map(str, line)) for line in lines]

    def _stories(self) -> dict[str, dict[str, Any]]:
        """Every run that has ended, by its name."""
        told = self.journal.timeline(self.stream)
        return {f"{run['crew']}/{run['run']}": run for run in told if run["ended"] is not None}

    def _actions(self, stories: Mapping[str, Any]) -> dict[str, list[str]]:
        actions: dict[str, list[str]] = defaultdict(list)
        for action in self.result.actions:
            is_own = action.stream_id == self.stream
            # An action for another stream does not say which stream it comes from.
            run = action.causation_id or ""
            if (is_own or len(self.result.digests) == 1) and run in stories:
                elsewhere = "" if is_own else f" to {action.stream_id}"
                actions[run].append(f"{action.kind} {_json(action.payload)}{elsewhere}")
        return actions

    def _order(self, run: str) -> tuple[int, int, int]:
        trigger, place = _key(run)
        return (self.crews.index(_crew_of(run)), trigger, place)

    def _cause(self, run: str, story: dict[str, Any]) -> str:
        events = self.witness.triggers(self.stream, run)
        if events:
            said = ", ".join(f"{event.kind} {_json(event.payload)}" for event in events)
        else:
            said = "landing" if events is not None else ""
        trigger, _ = _key(run)
        parts = [said, f"@{trigger}" if trigger != story["ended"] else ""]
        needs = [f"{need}={'?' if met is None else met}" for need, met in story["needs"]]
        parts.append(f"with {' '.join(needs)}" if needs else "")
        return " ".join(part for part in parts if part)


def _crew_of(run: str) -> str:
    return run.rpartition("/")[0]


def _key(run: str) -> tuple[int, int]:
    trigger, _, place = run.rpartition("/")[2].rpartition(".")
    return int(trigger), int(place)


def _outcome(story: dict[str, Any], actions: list[str]) -> str:
    tries = f" after {story['attempts']} tries" if story["attempts"] > 1 else ""
    if story["outcome"] == "ok":
        return f"→ {', '.join(actions) or 'nothing'}{tries}"
    message = f": {story['message']}" if story["message"] else ""
    return f"! {story['outcome']}{message}{tries}"


def _trouble(crew: str, reason: str, message: str) -> tuple[str, str]:
    """What no run ended with: a conflict of two runs, a crew that is disabled."""
    return ("conflict", message) if reason == "ctx_conflict" else (crew, f"{reason}: {message}")


def _context(writes: list[dict[str, Any]]) -> str:
    """The changes of a run; wanting an object shows in what is put into it."""
    said: list[str] = []
    writes = sorted(writes, key=lambda write: str(write["path"]).partition(".")[0])
    for at, write in enumerate(writes):
        path, op = write["path"], write["op"]
        if op == "object":
            if not any(_is_below(other["path"], path) for other in writes[at + 1 :]):
                said.append(f"{path}={{}}")
        elif op == "delete":
            said.append(f"del {path}")
        else:
            said.append(_OPS[op].format(path=path, value=write["value"]))
    return f"ctx {', '.join(said)}" if said else ""


def _is_below(path: str, above: str) -> bool:
    return path.startswith(f"{above}.")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns of one width, so that a timeline reads as a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return list(cells)


def _bare(line: str) -> str:
    """A line without what does not matter: space outside of texts."""
    return _TEXT_OR_SPACE.sub(lambda found: found[1] or " ", line).strip()


def _differences(expected: list[str], actual: list[str]) -> Iterable[str]:
    bare = [_bare(line) for line in expected], [_bare(line) for line in actual]
    return (line for line in ndiff(*bare) if not line.startswith("?"))
