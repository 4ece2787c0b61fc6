"""Two crews that are Python objects. No key needed."""

from pathlib import Path

from crews import analytics_crew, user_crew

from live_crew import CrewOrchestrator

orchestrator = CrewOrchestrator()
orchestrator.register_crew("users", user_crew, triggers=["user_signup"])
orchestrator.register_crew(
    "analytics", analytics_crew, triggers=["user_signup"], needs=[("users", -1)], wait_policy="none"
)
result = orchestrator.run_sync(Path(__file__).with_name("events.jsonl"))
print(*(f"{a.ts.time()} {a.kind} {a.payload}" for a in result.actions), result.context, sep="\n")
