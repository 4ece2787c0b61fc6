"""Tests of the crews: events in virtual time, and what must come of them."""

from pathlib import Path

from live_crew import Orchestrator

HERE = Path(__file__).parent


def test_reports_come_after_the_accounts_they_are_about():
    orchestrator = Orchestrator.from_config(HERE / "live_crew_config.yaml")
    result = orchestrator.run_sync(HERE / "events.jsonl")
    assert result.ok
    kinds = [action.kind for action in result.actions]
    assert kinds.count("account_created") == kinds.count("user_report") == 3
    assert kinds.index("account_created") < kinds.index("user_report")
