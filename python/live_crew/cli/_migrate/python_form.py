"""The same crew in Python, as a program."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["WIDTH", "as_block", "as_python", "python_file"]

WIDTH = 98

_CREW = '''"""`{name}`, as agents.yaml and tasks.yaml say it, in Python.

    orchestrator = Orchestrator()
    register(orchestrator){needed}
    orchestrator.run_sync("events.jsonl")
"""

import sys
from pathlib import Path

from crewai import Agent, Crew, Task

from live_crew import Orchestrator

agent = Agent(
    role={role},
    goal={goal},
    backstory="You do what the task says and answer with nothing but its JSON.",
)
task = Task(
    description={description},
    expected_output={expected},
    agent=agent,
)
crew = Crew(agents=[agent], tasks=[task])


def register(orchestrator):
    """Add the crew, with what `{name}.runtime.yaml` says."""
    orchestrator.register_crew(
        "{name}",
        crew,
{keys}        # Offline: take this line away, and the model is that of the agent.
        llm={{"script": str(Path(__file__).with_name("answers.yaml"))}},
    )
'''

_MAIN = """

if __name__ == "__main__":
    orchestrator = Orchestrator()
    register(orchestrator)
    for action in orchestrator.run_sync(sys.argv[1]).actions:
        print(action.ts.time(), action.kind, action.payload)
"""


def python_file(*, needed: str, **parts: str) -> str:
    """A program of its own, or a module if the crew needs others."""
    told = f"  # and what it needs: {needed}" if needed else ""
    text = _CREW.format(needed=told, **parts)
    return text if needed else text + _MAIN


def as_python(value: Any, indent: int = 8) -> str:
    """A value as Python, over several lines if one is too short."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return repr(value) if '"' in value and "'" not in value else text
    if not isinstance(value, dict | list):
        return repr(value)
    if isinstance(value, dict):
        open_, close = "{}"
        parts = [f"{as_python(key)}: {as_python(one, indent + 4)}" for key, one in value.items()]
    else:
        open_, close = "[]"
        parts = [as_python(one, indent + 4) for one in value]
    line = f"{open_}{', '.join(parts)}{close}"
    if len(line) + indent <= WIDTH and "\n" not in line:
        return line
    rows = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts)
    return f"{open_}\n{rows}{' ' * indent}{close}"


def as_block(text: str) -> str:
    """A text of Python: each line a string of its own."""
    lines = text.splitlines(keepends=True)
    if len(lines) == 1:
        return as_python(text)
    return "(\n" + "".join(f"        {as_python(line)}\n" for line in lines) + "    )"
