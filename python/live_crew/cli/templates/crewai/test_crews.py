"""Tests of the crews: real ones, on a model whose answers are written down."""

from pathlib import Path

import pytest

from live_crew import Orchestrator
from live_crew.testing import ScriptedLLM

HERE = Path(__file__).parent

# What CrewAI says of itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_every_user_is_welcomed_by_name():
    model = ScriptedLLM(
        rules={
            "Welcome Ada": {"kind": "greeting", "payload": "Hello Ada"},
            "Welcome Grace": {"kind": "greeting", "payload": "Hello Grace"},
        },
        default="somebody else",
    )
    orchestrator = Orchestrator.from_config(HERE / "live_crew_config.yaml", llm=model)
    result = orchestrator.run_sync(HERE / "events.jsonl")
    assert result.ok
    said = [action.payload for action in result.actions]
    assert said == ["Hello Ada", "Hello Grace", {"text": "somebody else"}]
    assert len(model.calls) == 3
    model.assert_complete()


def test_the_written_answers_do(monkeypatch):
    monkeypatch.delenv("LIVE_CREW_LLM", raising=False)
    result = Orchestrator.from_config(HERE / "live_crew_config.yaml").run_sync(
        HERE / "events.jsonl"
    )
    assert [action.kind for action in result.actions] == ["greeting"] * 3
