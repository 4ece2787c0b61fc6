"""`isolation: process`: what a run does to its process harms nobody else."""

import logging
import signal
import sys
import threading
import time

import pytest
from acts import events, facts, is_gone, one_error, pids

from live_crew import CrewOrchestrator

# Importing CrewAI takes long on a busy machine, and each program does it anew.
pytestmark = pytest.mark.timeout(240)


def test_what_hangs_is_killed_at_its_deadline_with_all_it_started(run, tmp_path):
    where = tmp_path / "pids"
    run("pid")
    began = time.monotonic()
    _, result = run(f"hang {where}", "pid", timeout_ms=2000)
    error = one_error(result)
    assert error.reason == "timeout"
    assert time.monotonic() - began < 10
    assert [action.payload["text"] for action in result.actions] == ["pid"]
    hung, started = where.read_text().split()
    assert is_gone(hung)
    assert is_gone(started)
    assert str(pids(result)[0]) != hung


def test_a_run_that_was_ended_says_how_far_it_came(run):
    orchestrator, _ = run("die 7")
    assert "agent started" in [fact["what"] for fact in facts(orchestrator)]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("die 7", "exit code 7"),
        ("die 0", "exit code 0"),
        ("exit 3", "sys.exit(3)"),
        (f"crash {int(signal.SIGSEGV)}", "SIGSEGV"),
        (f"crash {int(signal.SIGKILL)}", "SIGKILL"),
        ("odd", "this and that"),
    ],
)
def test_what_ends_a_process_is_the_error_of_its_run_alone(act, said, run):
    _, result = run(act, "pid")
    assert said in one_error(result).message
    assert [action.payload["text"] for action in result.actions] == ["pid"]


def test_an_exception_comes_back_as_itself_and_the_process_goes_on(run):
    _, result = run("pid", "boom", "pid")
    error = one_error(result)
    assert "nothing there" in error.message
    assert isinstance(error.__cause__, LookupError)
    assert "ACTS[act]" in str(error.__cause__.__cause__)
    assert len(set(pids(result))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not tell what a process uses")
@pytest.mark.parametrize("act", ["eat", "gulp"])
def test_memory_is_bounded(act, run):
    _, result = run(act, "pid", memory_mb=100)
    assert "memory_mb: 100" in one_error(result).message
    assert len(result.actions) == 1


def test_processor_time_is_bounded(run):
    began = time.monotonic()
    _, result = run("burn", "pid", cpu_s=1)
    assert "cpu_s: 1" in one_error(result).message
    assert len(result.actions) == 1
    assert time.monotonic() - began < 20


def test_a_flood_is_cut_and_holds_nobody_up(run, caplog):
    caplog.set_level(logging.INFO, logger="live_crew.crews")
    _, result = run("flood", "say hello")
    assert result.errors == []
    texts = [one.getMessage() for one in caplog.records]
    assert sum(map(len, texts)) < 400_000
    assert any("KB more" in text for text in texts)
    assert any("printed hello" in text for text in texts)


def test_there_are_only_so_many_processes_and_idle_ones_make_room(apart, run, monkeypatch):
    from live_crew.crews.process import pool

    run("pid")
    monkeypatch.setattr(pool, "MOST_PROCESSES", 2)
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew", apart.crew, triggers=["ask"], isolation="process", concurrency=6
    )
    result = orchestrator.run_sync(events(*["nap"] * 6, apart_s=0))
    assert result.errors == []
    assert len(set(pids(result))) == 2
    monkeypatch.setattr(pool, "IDLE_S", 0)
    looked = threading.Event()
    pool.process_lane().call_soon(lambda: (pool.the_pool()._look(), looked.set()))
    assert looked.wait(10)
    left = pids(orchestrator.run_sync(events("pid")))
    assert len(pool.the_pool()._workers) == 1
    assert left[0] in pids(result)
