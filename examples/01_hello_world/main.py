from pathlib import Path

from live_crew import Orchestrator, event_handler


@event_handler("user_signup")
def greet_user(event, ctx):
    ctx["users"] = ctx.get("users", 0) + 1
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


orchestrator = Orchestrator.from_file(Path(__file__).with_name("events.json"))
orchestrator.register_handler(greet_user)
for action in orchestrator.run_sync().actions:
    print(action.ts.time(), action.kind, action.payload)
