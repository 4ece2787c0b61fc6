"""Chapter 6: crews that wait for crews and events, and what they are shown of them."""

import pytest

from live_crew import CrewDep, EventDep, Orchestrator, event_handler
from live_crew.errors import PlanError
from live_crew.testing import TestStream, assert_timeline


@event_handler("frame")
def vision(event):
    return {"kind": "seen", "payload": event.payload}


def waiting(**options):
    """A crew that tells what its needs gave it."""

    @event_handler("tick", **options)
    def talker(event, ctx):
        deps = {
            name: value["payload"] if isinstance(value, dict) else value
            for name, value in ctx.deps.items()
        }
        return {"kind": "talk", "payload": {"deps": deps, "missing": ctx.missing}}

    return talker


@pytest.mark.parametrize(
    "need",
    [
        ("vision", -1),
        CrewDep("vision"),
        CrewDep("vision", -1),
        {"type": "crew", "crew": "vision", "offset": -1},
    ],
    ids=str,
)
def test_n2_a_need_at_minus_one_is_met_by_the_slice_before(need):
    stream = TestStream(vision, waiting(needs=[need]))
    stream.at(0).event("frame", 1)
    stream.at(500).event("tick")
    assert_timeline(
        stream,
        """
        0  vision  frame 1                     → seen 1
        1  talker  tick null with vision@-1=0  → talk {"deps":{"vision":1},"missing":[]}
        """,
    )


def test_n2_a_need_that_lands_later_is_waited_for():
    stream = TestStream(vision, waiting(needs=[("vision", -1)]))
    stream.at(0).event("tick")
    stream.at(1600).event("frame", 1)
    stream.at(2500).event("other")
    lines = stream.run().timeline.splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["3", "vision", "frame", "1", "→"],
        ["4", "talker", "tick", "null", "@0"],
    ]


def test_n3_a_need_at_zero_runs_before_and_shows_its_changes():
    seen = []

    @event_handler("frame")
    def first(event, ctx):
        ctx["x"] = 1

    @event_handler("frame", needs=[("first", 0)])
    def second(event, ctx):
        seen.append(dict(ctx))

    stream = TestStream(second, first)
    stream.at(0).event("frame")
    stream.run()
    assert seen == [{"x": 1}]
    assert stream.orchestrator.crews == ["first", "second"]


def test_n1_an_event_may_be_needed():
    stream = TestStream(waiting(needs=[EventDep("goal", 0)]))
    stream.at(0).event("tick")
    stream.at(600).event("goal", "home")
    (line,) = stream.run().timeline.splitlines()
    assert line.startswith("1  talker  tick null @0 with event goal@0=1  →")


def test_c1_a_crew_without_triggers_runs_when_its_need_lands():
    orchestrator = Orchestrator()
    orchestrator.register_handler(vision)
    orchestrator.register_crew(
        "after", lambda event, ctx: ctx.deps["vision"], triggers=[], needs=[("vision", 0)]
    )
    stream = TestStream(orchestrator=orchestrator)
    stream.at(0).event("frame", 1)
    assert_timeline(
        stream,
        """
        0  vision  frame 1                 → seen 1
        0  after   landing with vision@0=0 → seen 1
        """,
    )


def test_n4_any_runs_with_what_there_is():
    needs = [("vision", 0), EventDep("goal", 0)]
    stream = TestStream(vision, waiting(needs=needs, wait_policy="any"))
    stream.at(0).event("tick").event("frame", 1)
    result = stream.run()
    (talk,) = [action for action in result.actions if action.kind == "talk"]
    assert talk.payload["missing"] == ["event goal@0"]
    assert list(talk.payload["deps"]) == ["vision"]


def test_n4_none_does_not_wait():
    stream = TestStream(vision, waiting(needs=[("vision", -1)], wait_policy="none"))
    stream.at(0).event("tick")
    (talk,) = stream.run().actions
    assert talk.payload == {"deps": {}, "missing": ["vision@-1"]}


def test_n4_a_timeout_runs_without_what_is_missing():
    stream = TestStream(vision, waiting(needs=[("vision", -1)], wait_policy="timeout:900"))
    stream.at(0).event("tick")
    stream.at("5s").event("other")
    result = stream.run()
    assert [action.payload["missing"] for action in result.actions] == [["vision@-1"]]
    assert result.timeline.startswith("2  talker  tick null @0")


def test_n5_what_waits_at_the_end_of_the_input_is_told():
    stream = TestStream(vision, waiting(needs=[("vision", -1)]))
    stream.at(0).event("tick")
    result = stream.run()
    (error,) = result.errors
    assert (error.reason, error.crew) == ("unsatisfied", "talker")
    assert error.dependencies == {"vision@-1": None}
    assert "vision@-1: missing" in str(error)


def test_n5_nothing_waits_for_ever():
    stream = TestStream(vision, waiting(needs=[("vision", -1)], expire_after=2))
    stream.at(0).event("tick")
    stream.at("5s").event("other")
    (error,) = stream.run().errors
    assert (error.reason, error.slice) == ("expired", 3)


def test_n6_explain_says_why_a_crew_ran_or_did_not():
    stream = TestStream(vision, waiting(needs=[("vision", -1)]))
    stream.at(0).event("frame", 1)
    stream.at(500).event("tick")
    stream.run()
    explain = stream.orchestrator.explain
    assert "started in slice 1, vision@-1 met by slice 0, landed in slice 1" in explain("talker", 1)
    assert "did not run: no event of its triggers" in explain("talker", 0)


def test_n7_a_need_that_no_crew_meets_is_refused_with_the_closest_name():
    orchestrator = Orchestrator()
    orchestrator.register_handler(vision)
    orchestrator.register_handler(waiting(needs=[("visoin", -1)]))
    with pytest.raises(PlanError, match="did you mean `vision`") as raised:
        orchestrator.plan()
    assert [(problem.crew, problem.field) for problem in raised.value.problems] == [
        ("talker", "needs")
    ]


def test_n3_a_cycle_is_refused_and_spelled_out():
    orchestrator = Orchestrator()
    orchestrator.register_crew("a", lambda event: None, needs=[("b", 0)])
    orchestrator.register_crew("b", lambda event: None, needs=[("a", 0)])
    with pytest.raises(PlanError, match="`a` → `b` → `a`"):
        orchestrator.plan()


def test_let_lands_in_exactly_that_slice():
    @event_handler("tick", timing={"let": 2})
    def slow(event):
        return {"kind": "said", "payload": 1}

    stream = TestStream(slow)
    stream.at(0).event("tick")
    stream.at("5s").event("other")
    assert_timeline(stream, "2  slow  tick null @0  → said 1")


def test_c4_a_stride_lets_triggers_wait():
    @event_handler("tick", slice_stride=3)
    def third(event):
        return event.payload

    stream = TestStream(third)
    for slice_index in range(5):
        stream.at(slice_index * 500).event("tick", slice_index)
    result = stream.run()
    assert [action.payload for action in result.actions] == [0, 1, 2, 3, 4]
    assert [int(line.split()[0]) for line in result.timeline.splitlines()] == [0, 3, 3, 3, 6]
