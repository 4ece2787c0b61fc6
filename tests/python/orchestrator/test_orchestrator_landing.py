"""Crews without triggers: they run when what they need has landed."""

from live_crew import Orchestrator
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


def test_a3_emits_may_map_payload_and_context_by_templates():
    orchestrator = Orchestrator()
    emits = {
        "kind": "score",
        "payload": {"said": "{{ output.n }}", "by": "{{ event.payload.who }}"},
        "context": {"last": "{{ output.n }}"},
    }
    orchestrator.register_handler(lambda _: {"n": 3}, "goal", crew="counter", emits=emits)
    event = {
        "ts": "2026-01-01T00:00:00Z",
        "kind": "goal",
        "stream_id": "s",
        "payload": {"who": "a"},
    }
    result = orchestrator.run_sync([event])
    assert result.ok, result.errors
    assert [(a.kind, a.payload) for a in result.actions] == [("score", {"by": "a", "said": 3})]
    assert result.context == {"s": {"last": 3}}
