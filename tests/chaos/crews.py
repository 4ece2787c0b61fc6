"""What every host runs. Each program of this folder copies it to where its hosts look for it."""

import asyncio

from live_crew import event_handler

# A slice waits for these two, so that what they do depends on events alone: see `judge.py`.
_WAITED_FOR = {"timing": "sync", "timeout_ms": 300_000}


@event_handler("thing", **_WAITED_FOR)
def count(event, ctx):
    """Runs where it is decided."""
    ctx.incr("seen")
    ctx["last"] = event.payload
    return {"kind": "counted", "payload": {"n": event.payload}}


@event_handler("thing", **_WAITED_FOR)
async def echo(event, ctx):
    """Only runners have it, so that every run of it is handed over."""
    await asyncio.sleep(0.01)
    return {"kind": "echoed", "payload": {"n": event.payload, "seen": ctx.get("seen", 0)}}


@event_handler("loose")
async def guess(event, ctx):
    """Lands when it lands; the journal says when."""
    await asyncio.sleep(0.02)
    ctx.append("guessed", event.payload % 7)
    ctx["guessed"] = ctx["guessed"][-5:]
    return {"kind": "guessed", "payload": {"n": event.payload, "seen": ctx["guessed"]}}


# Which answers each kind of event has.
ANSWERS = {"thing": ("counted", "echoed"), "loose": ("guessed",)}
