"""`isolation: process`: processes end with the program that has them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from acts import is_gone

# Importing CrewAI takes long on a busy machine, and each program does it anew.
pytestmark = pytest.mark.timeout(240)
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import apart
from live_crew import CrewOrchestrator

def crew():
    return apart.crew()

if __name__ == "__main__":
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", crew, triggers=["ask"], isolation="process")

    def ask(act):
        event = {"ts": "2026-01-01T00:00:00Z", "kind": "ask", "stream_id": "s"}
        return orchestrator.run_sync([{**event, "payload": {"act": act}}]).actions[0].payload["pid"]

    pid = ask("pid")
    apart.note(sys.argv[2], pid)
    if os.fork() == 0:
        # It has what we have, and must neither keep our processes alive nor end them.
        apart.note(sys.argv[2] + ".forked")
        time.sleep(60)
    apart.wait(sys.argv[2] + ".forked")
    assert ask("pid") == pid
    if len(sys.argv) > 3:
        ask(f"think {sys.argv[3]}")
"""


@pytest.fixture
def program(folder, tmp_path):
    """Starts a program in a session of its own; gives it and the processes it has."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    started = []

    def start(*args):
        where = tmp_path / "pids"
        process = subprocess.Popen(
            [sys.executable, str(script), str(folder), str(where), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        for path in (where, *args):
            until = time.monotonic() + 200
            while not path.exists():
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < until
                time.sleep(0.01)
        child = int(where.read_text().split()[1])
        server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        return process, child, server

    yield start
    for process in started:
        # With what it has forked.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@needs_proc
def test_a_program_that_is_killed_leaves_no_process(program, tmp_path):
    process, child, server = program(tmp_path / "thinks")
    assert server != process.pid
    os.kill(process.pid, signal.SIGKILL)
    assert is_gone(child)
    assert is_gone(server)


@needs_proc
def test_an_interrupt_is_for_the_program_and_it_ends_at_once(program, tmp_path):
    process, child, server = program(tmp_path / "thinks")
    assert os.getpgid(server) not in (process.pid, os.getpgid(child))
    os.kill(process.pid, signal.SIGINT)
    process.wait(5)
    assert is_gone(child)
    assert is_gone(server)
