"""Events out of a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from live_crew import Event, load_events_from_file
from live_crew.errors import ModelError

EVENTS = [Event(f"2026-05-01T12:00:0{n}Z", "k", "s", {"n": n}) for n in range(3)]
LINES = "".join(event.model_dump_json() + "\n" for event in EVENTS)
ARRAY = "[" + ",\n".join(event.model_dump_json() for event in EVENTS) + "]"


@pytest.mark.parametrize("text", [LINES, ARRAY, "\ufeff" + ARRAY])
def test_json_lines_and_an_array_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.json"
    path.write_text(text, encoding="utf-8")
    assert load_events_from_file(path) == EVENTS
    assert load_events_from_file(str(path)) == EVENTS


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text("")
    assert load_events_from_file(path) == []


def test_mistakes_are_told_with_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(LINES + '{"knd": 1}\n' + LINES + "oops\n")
    with pytest.raises(ModelError) as raised:
        load_events_from_file(path)
    assert str(raised.value).splitlines() == [
        f"{path}: line 4, column 2: field `knd` is not part of an event; did you mean `kind`?",
        f"{path}: line 8, column 1: expected a value, found `o`",
    ]


def test_no_more_than_20_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("{}\n" * 100_000)
    with pytest.raises(ModelError) as raised:
        load_events_from_file(path)
    assert len(str(raised.value).splitlines()) == 20


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no file"):
        load_events_from_file(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ModelError, match="is no file"):
        load_events_from_file(pipe)
    with pytest.raises(FileNotFoundError):
        load_events_from_file(tmp_path / "missing")


def test_a_dash_is_standard_input() -> None:
    code = "from live_crew import load_events_from_file as l; print(len(l('-')))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=LINES, text=True, capture_output=True, check=True
    )
    assert done.stdout == "3\n"
