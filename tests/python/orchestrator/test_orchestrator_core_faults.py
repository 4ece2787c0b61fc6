"""Faults of the core that these tests found."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from live_crew import Event, Orchestrator, event_handler
from live_crew.testing import TestStream


@pytest.mark.parametrize(
    "answer",
    [
        "value = []; value.append(value)",
        "value = []\nfor _ in range(100_000): value = [value]",
        "value = {}; value['actions'] = [value]",
    ],
    ids=["holds itself", "very deep", "actions in actions"],
)
def test_a4_an_answer_without_an_end_fails_its_run_and_not_the_process(answer):
    code = f"""
from live_crew.testing import TestStream
{answer}
stream = TestStream(lambda event: value)
stream.at(0).event("tick")
print([error.reason for error in stream.run().errors], flush=True)
value.clear()
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "['output']\n")


def test_two_runs_of_one_input_give_the_same_errors_to_the_byte():
    def broken(event):
        raise ValueError("boom")

    def told() -> str | None:
        stream = TestStream(broken)
        stream.at(0).event("tick")
        return stream.run().errors[0].timestamp

    assert told() == told()


async def test_events_before_an_exception_of_their_source_are_taken_in():
    seen = []

    def events() -> Iterator[Event[Any]]:
        for second in range(3):
            ts = f"2026-01-01T00:00:{second}0Z"
            yield Event(ts=ts, kind="tick", stream_id="s", payload=second)
        raise ZeroDivisionError

    orchestrator = Orchestrator()
    orchestrator.register_crew("note", lambda event: seen.append(event.payload))
    with pytest.raises(ZeroDivisionError):
        await orchestrator.run(events())
    assert seen == [0, 1]


async def test_a_second_file_over_one_journal_is_not_taken_for_the_first(events_file, tmp_path):
    def file(stream: str) -> Any:
        event = {"ts": "2026-01-01T00:00:00Z", "kind": "tick", "stream_id": stream}
        return events_file([{**event, "payload": 1}, {**event, "payload": 2}], f"{stream}.jsonl")

    orchestrator = Orchestrator(journal=tmp_path / "journal.db")
    orchestrator.register_crew("echo", lambda event: event.payload)
    for stream in ("a", "b"):
        result = await orchestrator.run(file(stream))
        assert [action.payload for action in result.actions] == [1, 2]


def test_n4_a_need_for_an_event_shows_the_event():
    seen = []

    def talker(event, ctx):
        seen.append(ctx.deps)

    stream = TestStream()
    stream.orchestrator.register_handler(
        talker, "tick", needs=[{"type": "event", "event": "goal", "offset": 0}]
    )
    stream.at(0).event("tick").event("goal", "home")
    stream.run()
    assert seen == [{"goal": "home"}]


async def test_a_run_that_one_of_its_handlers_drops_is_over():
    orchestrator = Orchestrator()

    @event_handler("tick")
    def drop(event):
        running.close()

    orchestrator.register_handler(drop)
    tick = {"ts": "2026-01-01T00:00:00Z", "kind": "tick", "stream_id": "s", "payload": None}
    running = orchestrator._begin([tick])
    with pytest.raises(asyncio.CancelledError):
        await orchestrator._end(running, running.result())
    with pytest.raises(RuntimeError, match="is over"):
        running._session.step()
