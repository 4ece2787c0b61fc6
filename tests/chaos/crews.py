"""What every host runs. Each program of this folder copies it to where its hosts look for it."""

import asyncio

from live_crew import event_handler

# Runs may wait as long as faults last: what is given up is lost to whoever counts.
_PATIENT = {"timeout_ms": 600_000, "expire_after": 100_000, "max_backlog": 100_000}
# A slice waits for the runs of some, so that what they do depends on events alone: `judge.py`.
_WAITED_FOR = {"timing": "sync", **_PATIENT}


@event_handler("thing", **_WAITED_FOR)
def count(event, ctx):
    """Runs where it is decided."""
    ctx.incr("seen")
    ctx["last"] = event.payload["n"]
    return {"kind": "counted", "payload": {"n": event.payload["n"]}}


@event_handler("thing", **_WAITED_FOR)
async def echo(event, ctx):
    """Only runners have it, so that every run of it is handed over."""
    await asyncio.sleep(0.01)
    return {"kind": "echoed", "payload": {"n": event.payload["n"], "seen": ctx.get("seen", 0)}}


@event_handler("loose", **_PATIENT)
async def guess(event, ctx):
    """Lands when it lands; the journal says when."""
    await asyncio.sleep(0.02)
    ctx.append("guessed", event.payload["n"] % 7)
    ctx["guessed"] = ctx["guessed"][-5:]
    return {"kind": "guessed", "payload": {"n": event.payload["n"], "seen": ctx["guessed"]}}


# Which answers each kind of event has.
ANSWERS = {"thing": ("counted", "echoed"), "loose": ("guessed",)}
