"""A folder of crews to command, in this process and in another one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import live_crew
from live_crew.cli.app import app

HOME = Path(live_crew.__file__).parents[1]

EVENTS = [("12:00:00.100", "Ada"), ("12:00:00.350", "Grace"), ("12:00:02.200", "Edsger")]

CONFIG = """\
crews:
  - python: crews:accounts
    runtime: {crew: accounts, triggers: [signup]}
  - python: crews:report
    runtime: {crew: report, triggers: [signup], needs: [{type: crew, crew: accounts, offset: -1}]}
"""

CREWS = """\
from live_crew import event_handler

@event_handler("signup")
def accounts(event, ctx):
    ctx.incr("accounts", 1)
    return {"kind": "account", "payload": event.payload["name"]}

@event_handler("signup")
def report(event, ctx):
    return {"kind": "report", "payload": ctx["accounts"]}
"""


def signup(at: str, name: str) -> str:
    """One line of events."""
    event = {
        "ts": f"2026-01-01T{at}Z",
        "kind": "signup",
        "stream_id": "shop",
        "payload": {"name": name},
    }
    return json.dumps(event) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two crews and three events, in the working directory."""
    (tmp_path / "live_crew_config.yaml").write_text(CONFIG)
    (tmp_path / "crews.py").write_text(CREWS)
    (tmp_path / "events.jsonl").write_text("".join(signup(*event) for event in EVENTS))
    yield from _at_home(tmp_path, monkeypatch)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory."""
    yield from _at_home(tmp_path, monkeypatch)


def _at_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The next test may have a module of the same name in another folder."""
    monkeypatch.chdir(path)
    for name in [name for name in os.environ if name.startswith("LIVE_CREW_")]:
        monkeypatch.delenv(name)
    paths, modules = list(sys.path), set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield path
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(path):
            del sys.modules[name]


Command = Callable[..., Result]


@pytest.fixture
def command() -> Command:
    """`live-crew` with arguments, in this process."""
    return lambda *args, **options: CliRunner().invoke(app, [str(arg) for arg in args], **options)


def spawn(*args: object, env: dict[str, str] | None = None, **options: Any) -> Any:
    """`live-crew` with arguments, as a process with pipes."""
    clean = {name: value for name, value in os.environ.items() if name[:9] != "LIVE_CREW"}
    paths = {"PYTHONPATH": str(HOME), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-m", "live_crew", *map(str, args)],
        env={**clean, **paths, **(env or {})},
        text=True,
        **{**pipes, **options},
    )
