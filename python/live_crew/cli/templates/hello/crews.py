"""The crews of $name."""

from live_crew import event_handler


@event_handler("user_signup")
def greeter(event, ctx):
    """Welcome each user, and count them."""
    ctx.incr("users", 1)
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}
