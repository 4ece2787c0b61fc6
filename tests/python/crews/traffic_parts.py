"""What tests of recorded runs have in common."""

from pydantic import BaseModel

from live_crew import CrewOrchestrator

__all__ = ["DONE", "LOOK", "Report", "run", "texts"]

LOOK = 'Thought: look\nAction: look\nAction Input: {{"word": "{}"}}'
DONE = "Thought: I know\nFinal Answer: {}"


class Report(BaseModel):
    title: str
    key_points: list[str]


def run(crew, events, recorder, **settings):
    orchestrator = CrewOrchestrator(recorder=recorder, **settings)
    orchestrator.register_crew("crew", crew, triggers=["ask"], concurrency=8)
    return orchestrator, orchestrator.run_sync(events)


def texts(result):
    return [action.payload["text"] for action in result.actions]
