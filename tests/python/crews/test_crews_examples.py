"""The examples run as they are, offline."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def say(capsys, monkeypatch):
    def run(name):
        monkeypatch.syspath_prepend(str(EXAMPLES / name))
        monkeypatch.delenv("LIVE_CREW_LLM", raising=False)
        runpy.run_path(str(EXAMPLES / name / "main.py"), run_name="__main__")
        return capsys.readouterr().out

    yield run
    # Other tests have modules of that name.
    sys.modules.pop("crews", None)


def test_two_crews_of_yaml_answer_three_signups(say):
    lines = say("02_two_crews_yaml").splitlines()
    assert [line.split()[1] for line in lines] == ["user_report", "greeting"] * 3
    assert "'signups': 3" in lines[4]


def test_two_crews_of_python_share_a_context(say):
    assert say("03_two_crews_python").splitlines()[-1] == "{'shop': {'signups': 3}}"


def test_a_match_day_is_commented_on(say):
    said = say("04_match_day")
    assert "An equaliser" in said
    assert "score {'away': 1, 'home': 1}" in said
    assert "vision@-1 met by slice 0, score_tracker@0 met by slice 1" in said
