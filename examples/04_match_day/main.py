"""A match: frames and goals come in, a crew comments on what a vision model saw a slice earlier."""

from pathlib import Path

from live_crew import CrewOrchestrator, event_handler

here = Path(__file__).parent
crews = here.parents[1] / "crews"


@event_handler("frame", batch="slice")
def vision(events, ctx):
    """What a vision model would see in the frames of a slice."""
    return {"kind": "scene", "payload": " then ".join(event.payload["shows"] for event in events)}


@event_handler("goal")
def score_tracker(event, ctx):
    """Count; two goals of one slice are both counted."""
    ctx.incr(["score", event.payload["side"]])


@event_handler("goal", needs=[("commentary", 0), ("score_tracker", 0)], wait_policy="any")
def emoji_overlay(event, ctx):
    """The overlay goes up as soon as one of the two it waits for is there."""
    return {"kind": "overlay", "payload": "🏠⚽" if event.payload["side"] == "home" else "✈️⚽"}


orchestrator = CrewOrchestrator(llm={"script": str(crews / "offline.yaml")})
for handler in (vision, score_tracker, emoji_overlay):
    orchestrator.register_handler(handler)
orchestrator.register_crew(
    "commentary", crews / "commentary", needs=[("vision", -1), ("score_tracker", 0)]
)

result = orchestrator.run_sync(here / "events.jsonl")
for action in result.actions:
    print(action.ts.time(), action.kind, action.payload)
print("score", result.context["match42"]["score"])
print(orchestrator.explain("commentary", 1))
