"""Nothing is printed, sent or taken by CrewAI where live-crew runs it, whoever imported it first.

Each in a program of its own: a terminal, an empty home, nothing of CrewAI in its environment.
"""

import contextlib
import json
import os
import pty
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import live_crew

PROGRAM = """
import json, os, signal, socket, sys, time

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGCONT")
handlers = lambda: {name: str(signal.getsignal(getattr(signal, name))) for name in SIGNALS}
before, tried = handlers(), []

def guarded(function, host):
    def guard(*args, **keywords):
        if host(args) not in ("127.0.0.1", "localhost", "::1", None):
            tried.append(str(args[-1]))
            raise OSError("the network is shut")
        return function(*args, **keywords)
    return guard

def peer(args):
    return args[1][0] if isinstance(args[1], tuple) else None

socket.socket.connect = guarded(socket.socket.connect, peer)
socket.socket.connect_ex = guarded(socket.socket.connect_ex, peer)
socket.getaddrinfo = guarded(socket.getaddrinfo, lambda args: args[0])

@FIRST@
from live_crew import Orchestrator

def crew():
    from crewai import Agent, Crew, Task
    from live_crew.testing import ScriptedLLM
    agent = Agent(role="r", goal="g", backstory="b", llm=ScriptedLLM("fine"))
    return Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])

event = {"ts": "2026-01-01T00:00:00Z", "kind": "ask", "stream_id": "s", "payload": {}}
orchestrator = Orchestrator()
orchestrator.register_crew("crew", @CREW@, triggers=["ask"])
results = [orchestrator.run_sync([event]) for _ in range(2)]
during = handlers()
said = [action.payload for result in results for action in result.actions]
errors = [str(error) for result in results for error in result.errors]

def tell():
    with open(sys.argv[1], "w") as file:
        json.dump({
            "said": said, "errors": errors, "tried": tried, "end": end,
            "changed": {name: now for name, now in during.items() if now != before[name]},
        }, file)
end = time.time()
import atexit
atexit._run_exitfuncs()
tell()
"""


def on_a_terminal(program: str, folder: Path) -> tuple[dict[str, object], str, float]:
    """What a program tells, all that it prints, and how long it takes to exit."""
    home, told = folder / "home", folder / "told.json"
    home.mkdir()
    (folder / "main.py").write_text(textwrap.dedent(program))
    ours, theirs = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm",
        "PYTHONPATH": str(Path(live_crew.__file__).parents[1]),
    }
    with subprocess.Popen(
        [sys.executable, str(folder / "main.py"), str(told)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=home,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        printed = b""
        # A terminal ends with an error once nobody has it open on the other side.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                printed += part
        os.close(ours)
        process.wait()
    assert told.exists(), printed.decode()
    said = json.loads(told.read_text())
    return said, printed.decode(), time.time() - said["end"]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("first", "crew"),
    [
        ("", "crew"),
        ("import crewai", "crew()"),
        ("import crewai, threading", "crew"),
    ],
    ids=["live_crew first", "crewai first", "crewai first, crew made on the lane"],
)
def test_crewai_prints_sends_and_takes_nothing(first, crew, tmp_path):
    program = PROGRAM.replace("@FIRST@", first).replace("@CREW@", crew)
    said, printed, took = on_a_terminal(program, tmp_path)
    assert said["errors"] == []
    assert said["said"] == [{"text": "fine"}] * 2
    assert printed == ""
    assert said["tried"] == []
    assert said["changed"] == {}
    assert took < 8
    assert not list(tmp_path.rglob(".crewai_user.json"))
