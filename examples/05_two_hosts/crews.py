"""A scorer counts goals; a commentator that needs the scorer says the score."""

from live_crew import event_handler


# Live, the slice waits for it: so the score a commentator sees is that of its own slice.
@event_handler("goal", timing="sync", timeout_ms=5_000)
def scorer(event, ctx):
    ctx.incr(["score", event.payload["side"]])


@event_handler("goal", needs=[("scorer", 0)])
def commentator(event, ctx):
    score = ctx["score"]
    return {
        "kind": "commentary",
        "payload": f"{event.payload['player']}! {score.get('home', 0)} : {score.get('away', 0)}",
    }
