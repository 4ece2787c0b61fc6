"""`MemoryScheduler` with real crews: one event, one crew, no loop."""

import pytest

from live_crew import Event, MemoryScheduler
from live_crew.errors import ConfigError, HandlerError, MultiCrewError
from live_crew.testing import ScriptedLLM


@pytest.fixture
def event():
    payload = {"name": "Ada"}
    return Event(ts="2026-01-01T00:00:00Z", kind="signup", stream_id="shop", payload=payload)


def test_a_crew_and_what_makes_one_react_to_an_event(model, crew, event):
    mine = crew(model("hello"), "Greet {name}.")

    def greeter():
        return mine

    scheduler = MemoryScheduler()
    (action,) = scheduler.process(event, mine)
    assert (action.kind, action.payload) == ("crew_result", {"text": "hello"})
    (action,) = scheduler.process(event, greeter)
    assert (action.kind, action.payload) == ("greeter_result", {"text": "hello"})
    assert mine.tasks[0].description == "Greet {name}."


def test_a_class_of_crews_has_its_own_name(model, event):
    from crewai import Agent, Crew, Task
    from crewai.project import CrewBase, agent, task
    from crewai.project import crew as crew_of

    @CrewBase
    class Desk:
        @agent
        def clerk(self) -> Agent:
            return Agent(role="clerk", goal="g", backstory="b", llm=model("stamped"))

        @task
        def stamp(self) -> Task:
            return Task(description="Stamp.", expected_output="words", agent=self.clerk())

        @crew_of
        def crew(self) -> Crew:
            return Crew(agents=self.agents, tasks=self.tasks)

    for given in (Desk, Desk()):
        (action,) = MemoryScheduler().process(event, given)
        assert action.payload == {"text": "stamped"}


def test_a_folder_runs_offline_whatever_wakes_it_and_whomever_it_needs(write, event):
    write(
        {
            "desk/agents.yaml": "a: {role: Scout, goal: g, backstory: b}\n",
            "desk/tasks.yaml": "t: {description: 'Find {name}.', expected_output: e, agent: a}\n",
            "desk/desk.runtime.yaml": (
                "triggers: [goal]\nneeds: [{type: crew, crew: other}]\nemits: {kind: found}\n"
            ),
        }
    )
    llm = ScriptedLLM(rules={"Find Ada": "here"})
    (action,) = MemoryScheduler(llm=llm).process(event, "desk")
    assert (action.kind, action.payload) == ("found", {"text": "here"})
    assert len(llm.calls) == 1


def test_the_context_is_kept_for_the_next_crew(model, crew, event):
    scheduler = MemoryScheduler()
    scheduler.process(event, crew(model('{"actions": [], "context": {"seen": 1}}')))
    llm = model("done")
    scheduler.process(event, crew(llm))
    assert '"seen": 1' in llm._asked[0]


def test_what_goes_wrong_is_raised(model, crew, event):
    with pytest.raises(MultiCrewError):
        MemoryScheduler().process(event, crew(model(ValueError("no"))))
    with pytest.raises(ConfigError, match="gives int"):
        MemoryScheduler().process(event, lambda: 5)
    with pytest.raises(HandlerError, match="is no crew"):
        MemoryScheduler().process(event, "no such folder")
