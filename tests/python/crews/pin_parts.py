"""Kickoffs of CrewAI itself, for the tests of what live-crew takes for granted of it."""

import contextvars

from crew_parts import crew_of, storage  # noqa: F401 (an autouse fixture)

from live_crew.crews.seams import (
    set_execution_uuid,
    set_suppress_console_output,
)

__all__ = ["kickoff", "within"]


def within(function):
    """What it gives in a context of its own, as each run has one."""
    return contextvars.copy_context().run(function)


def kickoff(crew, *prepared, **inputs):
    """A kickoff without panels, in a context of its own, after some calls in that context."""

    def do():
        set_suppress_console_output(True)
        set_execution_uuid("a run")
        for prepare in prepared:
            prepare()
        return crew.kickoff(inputs=inputs)

    return within(do)
