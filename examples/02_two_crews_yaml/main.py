"""Two crews that are folders of YAML: one welcomes, one counts. No key needed."""

from pathlib import Path

from live_crew import CrewOrchestrator

here = Path(__file__).parent
orchestrator = CrewOrchestrator.from_config(here.parents[1] / "crews" / "live_crew_config.yaml")
for action in orchestrator.run_sync(here / "events.jsonl").actions:
    print(action.ts.time(), action.kind, action.payload)
