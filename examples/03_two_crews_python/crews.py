"""Two crews as their authors wrote them: nothing here knows of live-crew but the model."""

import os

from crewai import LLM, Agent, Crew, Task

from live_crew.testing import ScriptedLLM

if model := os.environ.get("LIVE_CREW_LLM"):
    llm = LLM(model=model)
else:
    llm = ScriptedLLM(
        rules=[
            (r"Host", "Welcome! We have been expecting you."),
            (r"Counter.*\"signups\": 1", '{"context": {"signups": 2}, "actions": []}'),
            (r"Counter.*\"signups\": 2", '{"context": {"signups": 3}, "actions": []}'),
            (r"Counter", '{"context": {"signups": 1}, "actions": []}'),
        ]
    )

host = Agent(role="Host", goal="welcome users", backstory="You are kind.", llm=llm)
welcome = Task(description="Welcome {name}.", expected_output="one sentence", agent=host)
user_crew = Crew(agents=[host], tasks=[welcome])

counter = Agent(role="Counter", goal="count users", backstory="You are exact.", llm=llm)
count = Task(
    description="Somebody signed up. Add one to `signups` of the shared context.",
    expected_output="JSON: `context` with the new `signups`, and `actions`, an empty list",
    agent=counter,
)
analytics_crew = Crew(agents=[counter], tasks=[count])
