"""The crews of $name."""

from live_crew import event_handler


@event_handler("user_signup")
def user_management(event, ctx):
    """Make an account, and write it where other crews find it."""
    name = event.payload["name"]
    ctx.incr("accounts", 1)
    return {"name": name, "email": f"{name.lower()}@example.org"}


@event_handler("user_signup")
def analytics(event, ctx):
    """Report on what user_management has done by then."""
    return {"name": event.payload["name"], "accounts": ctx["accounts"]}
