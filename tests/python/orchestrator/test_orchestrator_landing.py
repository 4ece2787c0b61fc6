"""Crews without triggers: they run when what they need has landed."""

from live_crew.testing import TestStream


def test_c1_a_function_with_needs_and_no_triggers_runs_when_they_land():
    seen = []
    stream = TestStream()
    stream.orchestrator.register_crew("vision", lambda event: event.payload, triggers=["frame"])
    stream.orchestrator.register_crew(
        "follow", lambda event, ctx: seen.append((event, ctx.deps)), needs=[("vision", 0)]
    )
    stream.at(0).event("frame", 7)
    stream.at(600).event("other", 8)
    stream.run()
    assert seen == [(None, {"vision": 7})]
