"""Handlers that were written as crews: they run offline, in YAML as in Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import live_crew
from live_crew import CrewOrchestrator

HANDLERS = '''\
from live_crew import event_handler


@event_handler("user_signup")
def greet(event, ctx):
    """Welcome each user by name."""
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


@event_handler("user_signup", needs=[("greet", 0)])
def report(event, ctx):
    """Report on what was said."""
    ctx.incr("reports", 1)
    return {"kind": "user_report", "payload": {"plan": event.payload.get("plan", "free")}}
'''
EVENT = (
    '{"ts": "2026-01-01T00:00:00Z", "kind": "user_signup", "stream_id": "s", '
    '"payload": {"name": "Ada"}}\n'
)
SAID = [("greeting", "Welcome …!"), ("user_report", {"plan": "…"})]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(write, folder):
    """A folder with handlers that became crews, by the command."""

    def live_crew_says(*args):
        done = subprocess.run(
            [sys.executable, "-m", "live_crew", *args],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(live_crew.__file__).parents[1])},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    write({"shop.py": HANDLERS, "events.jsonl": EVENT})
    live_crew_says("new", "--from-handlers", "shop")
    return live_crew_says


def test_yaml_validates_and_runs_offline(home):
    assert home("validate") == "ok: 2 crews: `greet`, `report`\n"
    assert home("process", "events.jsonl").count('"kind":"') == 2


def test_python_says_the_same_as_yaml(home, folder, monkeypatch):
    by_yaml = CrewOrchestrator.from_config(folder / "live_crew_config.yaml")
    by_python = CrewOrchestrator()
    for name in ("greet", "report"):
        monkeypatch.syspath_prepend(str(folder / "crews" / name))
        __import__(f"{name}_crew").register(by_python)
    results = [one.run_sync(folder / "events.jsonl") for one in (by_yaml, by_python)]
    for result in results:
        assert result.ok, result.errors
        assert [(action.kind, action.payload) for action in result.actions] == SAID
    for name in ("greet_crew", "report_crew"):
        del sys.modules[name]


def test_its_program_prints_actions(home, folder):
    done = subprocess.run(
        [sys.executable, "crews/greet/greet_crew.py", "events.jsonl"],
        check=True,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(live_crew.__file__).parents[1])},
    )
    assert done.stdout == "00:00:00.500000 greeting Welcome …!\n"
