"""The pytest plugin: fixtures that are there without an import, and cost nothing until used."""

import json
import subprocess
import sys

from live_crew import Event, Orchestrator
from live_crew.testing import TestStream


def test_the_fixtures_make_what_they_say(test_stream, orchestrator, events_file):
    assert test_stream is TestStream
    assert isinstance(orchestrator, Orchestrator)
    assert orchestrator.journal.path is None
    event = {"ts": "2026-01-01T00:00:00Z", "kind": "tick", "stream_id": "s", "payload": 1}
    path = events_file([event, Event(**event), "not JSON"], name="some.jsonl")
    lines = path.read_text().splitlines()
    assert path.name == "some.jsonl"
    assert json.loads(lines[0])["kind"] == "tick"
    assert lines[0] == lines[1]
    assert lines[2] == "not JSON"


def test_loading_the_plugin_loads_no_core():
    code = "import sys, live_crew.testing.plugin; print('live_crew._core' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_names_are_found_lazily():
    import live_crew.testing

    assert set(live_crew.testing.__all__) <= set(dir(live_crew.testing))
    assert not hasattr(live_crew.testing, "nonsense")
