"""A scorer counts goals; a commentator that needs the scorer says the score."""

from live_crew import event_handler


@event_handler("goal")
def scorer(event, ctx):
    ctx.incr(["score", event.payload["side"]])


@event_handler("goal", needs=[("scorer", 0)])
def commentator(event, ctx):
    score = ctx["score"]
    return {
        "kind": "commentary",
        "payload": f"{event.payload['player']}! {score.get('home', 0)} : {score.get('away', 0)}",
    }
