"""`isolation: process`: what goes over to a process and what comes back."""

import logging
import os

import pytest
from acts import events, facts, pids

from live_crew import CrewOrchestrator

# Importing CrewAI takes long on a busy machine, and each program does it anew.
pytestmark = pytest.mark.timeout(240)


def test_runs_share_a_warm_process_that_is_not_this_one(run):
    orchestrator, result = run("pid", "pid", "pid")
    assert result.errors == []
    (pid,) = set(pids(result))
    assert pid != os.getpid()
    assert pids(orchestrator.run_sync(events("pid"))) == [pid]


def test_notes_and_usage_come_back(run):
    orchestrator, _ = run("pid")
    told = facts(orchestrator)
    assert [fact["what"] for fact in told][:3] == ["crew started", "task started", "agent started"]
    (usage,) = [fact for fact in told if fact["what"] == "usage"]
    assert usage["total_tokens"] == 15


def test_context_goes_over_and_changes_come_back(run):
    orchestrator, result = run("write score.home 2", "write score.away 1", "write name x")
    assert result.errors == []
    assert orchestrator.context_at("s", 4) == {"score": {"home": "2", "away": "1"}, "name": "x"}


def test_runs_of_a_slice_are_done_side_by_side(apart):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew", apart.crew, triggers=["ask"], isolation="process", concurrency=6
    )
    result = orchestrator.run_sync(events(*["nap"] * 6, apart_s=0))
    assert result.errors == []
    assert len(set(pids(result))) == 6


async def test_what_a_process_asks_is_recorded_and_served_again(apart, tmp_path):
    orchestrator = CrewOrchestrator(journal=tmp_path / "journal.db")
    orchestrator.register_crew("crew", apart.crew, triggers=["ask"], isolation="process")
    result = await orchestrator.run(events("pid", "pid"))
    assert result.errors == []
    replayed = await orchestrator.replay(tmp_path / "journal.db", mode="reexecute")
    # The answers are the recorded ones: they name the process of then, and this is another one.
    assert (replayed.ok, len(replayed.runs)) == (True, 2)


def test_what_is_printed_is_logged_with_its_run(run, caplog):
    caplog.set_level(logging.INFO, logger="live_crew.crews")
    run("say hello")
    lines = [(one.getMessage(), one) for one in caplog.records if one.name == "live_crew.crews"]
    told = {text.partition(": ")[2]: record for text, record in lines}
    for text in ("printed hello", "complained hello", "from C", "half a line"):
        record = told[text]
        assert (record.stream_id, record.slice, record.crew) == ("s", 0, "crew")


def test_log_records_are_handled_here(run, caplog):
    run("log")
    (record,) = [one for one in caplog.records if one.name == "my.tools"]
    assert (record.getMessage(), record.levelname) == ("look at this", "WARNING")
    assert (record.crew, record.stream_id) == ("crew", "s")


def test_a_prompt_without_agents_is_asked_in_a_process(apart):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(
        "crew",
        None,
        triggers=["ask"],
        isolation="process",
        user_template="Say {{ event.payload.act }}.",
        llm={"python": "apart:model"},
        outputs={"kind": "said", "payload": "{{ generated }}"},
    )
    result = orchestrator.run_sync(events("hello"))
    assert result.errors == []
    assert result.actions[0].kind == "said"
    pid, said = result.actions[0].payload
    assert (pid != os.getpid(), said) == (True, "Say hello.")
