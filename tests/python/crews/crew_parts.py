"""A tool, a structure and a crew of one, for tests of models."""

import pytest
from pydantic import BaseModel, Field

from live_crew.crews.seams import Agent, BaseTool, Crew, Task

__all__ = ["Add", "Title", "crew_of", "storage"]


@pytest.fixture(autouse=True)
def storage(tmp_path, monkeypatch):
    """CrewAI writes what tasks said to a database, wherever it is told to."""
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "storage"))


class Add(BaseTool):
    name: str = "Add Numbers"
    description: str = "adds two numbers"
    ran: list[tuple[int, int]] = Field(default_factory=list)

    def _run(self, a: int, b: int) -> str:
        self.ran.append((a, b))
        return f"the sum is {a + b}"


class Title(BaseModel):
    title: str
    words: int = 1


def crew_of(llm, *, tools=(), tries=3, **task):
    clerk = Agent(
        role="Clerk",
        goal="answer",
        backstory="Works.",
        llm=llm,
        tools=list(tools),
        max_retry_limit=tries - 1,
    )
    given = {"description": "say something", "expected_output": "a text", **task}
    return Crew(agents=[clerk], tasks=[Task(agent=clerk, **given)])
