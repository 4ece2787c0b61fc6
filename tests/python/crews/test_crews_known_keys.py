"""The keys that are known without CrewAI, against the release that is installed."""

from live_crew.crews.known_keys import AGENT, CREW, REFUSED, TASK


def test_every_key_of_crewai_is_known() -> None:
    from live_crew.crews import seams

    assert fields(seams.Agent, "_AGENT_RUNTIME_FIELDS") <= {*AGENT, *REFUSED}
    assert fields(seams.Task, "_TASK_RUNTIME_FIELDS") <= {*TASK, *REFUSED}
    assert fields(seams.Crew, "_CREW_RUNTIME_FIELDS") - {"agents", "tasks"} <= {*CREW, *REFUSED}


def fields(model: type, runtime: str) -> set[str]:
    from crewai.project import json_loader

    return set(model.model_fields) - getattr(json_loader, runtime) - {"entity_type"}
