"""What can be imported where CrewAI is not installed, and how the rest is told."""

import subprocess
import sys

import pytest


def last_line_of(code: str) -> str:
    """The last line of what a program without CrewAI says."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['crewai'] = None\n{code}"],
        check=False,
        capture_output=True,
        text=True,
    )
    return (done.stdout + done.stderr).splitlines()[-1]


@pytest.mark.parametrize(
    "name",
    ["testing import ScriptedLLM", "testing.llm import ScriptedLLM", "tools import ReadContext"],
)
def test_without_crewai_what_needs_it_says_how_to_install_it(name):
    assert last_line_of(f"from live_crew.{name}") == (
        "ModuleNotFoundError: crews need CrewAI, which is not installed; "
        "`pip install 'live-crew[crewai]'`"
    )


def test_without_crewai_a_crew_says_the_same():
    code = """
from live_crew import Orchestrator
orchestrator = Orchestrator()
orchestrator.register_crew("host", lambda: None, triggers="*")
orchestrator.run_sync([])
"""
    assert last_line_of(code) == (
        "live_crew.errors.ConfigError: crews need CrewAI, which is not installed; "
        "`pip install 'live-crew[crewai]'`"
    )


def test_without_crewai_streams_are_tested_as_ever():
    assert last_line_of("from live_crew.testing import TestStream; print('well')") == "well"
