"""Chapter 8: what a run reads and writes, as plain dicts and lists that may be changed in place."""

import copy
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from live_crew.testing import StreamResult, TestStream, assert_timeline


def told(*turns: Callable[..., Any], **settings: Any) -> StreamResult:
    """Each turn is a handler that is called in a slice of its own."""
    stream = TestStream(**settings)
    for at, turn in enumerate(turns):
        stream.orchestrator.register_handler(turn, f"turn{at}", crew=f"crew{at}")
        stream.at(at * 500).event(f"turn{at}")
    return stream.run()


def context(*turns: Callable[..., Any], **settings: Any) -> dict[str, Any]:
    result = told(*turns, **settings)
    result.raise_for_errors()
    return result.context["test"]


def put(**members: Any) -> Callable[..., None]:
    return lambda event, ctx: ctx.update(members)


def test_a_value_is_there_in_the_next_slice():
    seen = []
    context(put(a=1), lambda event, ctx: seen.append(dict(ctx)))
    assert seen == [{"a": 1}]


def test_x1_a_run_does_not_see_what_others_write_in_its_slice():
    seen = []

    def write(event, ctx):
        ctx["a"] = 1

    def read(event, ctx):
        seen.append(dict(ctx))

    stream = TestStream(write, read)
    stream.at(0).event("tick")
    stream.at(500).event("tick")
    stream.run()
    assert seen == [{}, {"a": 1}]


def test_x1_a_counter_counts_two_events_of_one_slice_as_two():
    def count(event, ctx):
        ctx["n"] = ctx.get("n", 0) + 1

    stream = TestStream(count)
    stream.at(0).event("tick").event("tick")
    assert_timeline(
        stream, "0 count tick null → nothing ctx n=1\n0 count tick null → nothing ctx n=2"
    )


def test_x2_a_change_at_any_depth_is_a_change_at_its_path():
    def deeper(event, ctx):
        ctx["a"]["b"]["c"].append({"d": 1})
        ctx["a"]["b"]["c"][0]["d"] += 1
        ctx["a"]["new"] = {}
        del ctx["a"]["old"]

    stream = TestStream()
    stream.orchestrator.register_handler(
        put(a={"b": {"c": [{"d": 1}]}, "old": 1}), "first", crew="first"
    )
    stream.orchestrator.register_handler(deeper, "second")
    stream.at(0).event("first")
    stream.at(500).event("second")
    result = stream.run()
    assert result.context == {"test": {"a": {"b": {"c": [{"d": 2}, {"d": 1}]}, "new": {}}}}
    assert result.timeline.splitlines()[1].endswith(
        'ctx del a.old, a.b.c=[{"d":2},{"d":1}], a.new={}'
    )


def test_x2_two_crews_that_write_beside_each_other_both_win():
    def home(event, ctx):
        ctx["score"]["home"] = 1

    def away(event, ctx):
        ctx["score"]["away"] = 2

    stream = TestStream()
    stream.orchestrator.register_handler(put(score={}), "start", crew="start")
    for crew in (home, away):
        stream.orchestrator.register_handler(crew, "goal")
    stream.at(0).event("start")
    stream.at(500).event("goal")
    result = stream.run()
    assert result.context == {"test": {"score": {"home": 1, "away": 2}}}
    assert result.ok


def test_x2_two_writers_of_one_path_are_told_and_the_last_one_wins():
    def a(event, ctx):
        ctx["x"] = "a"

    def b(event, ctx):
        ctx["x"] = "b"

    stream = TestStream(a, b)
    stream.at(0).event("tick")
    result = stream.run()
    assert result.context == {"test": {"x": "b"}}
    assert [(error.reason, error.run) for error in result.errors] == [("ctx_conflict", "b/0.0")]
    assert "a/0.0" in result.errors[0].message
    assert result.timeline.splitlines()[-1] == (
        "0  conflict  `x` was written by a/0.0 and by b/0.0"
    )


def test_x2_incr_and_append_never_conflict():
    def a(event, ctx):
        assert ctx.incr("n") == 1
        assert ctx.incr("deep.n", 2.5) == 2.5
        ctx.append("list", "a")

    def b(event, ctx):
        ctx.incr("n", -3)
        ctx.incr(["deep", "n"], 1)
        ctx.append(["list"], {"b": 1})

    stream = TestStream(a, b)
    stream.at(0).event("tick")
    result = stream.run()
    assert result.context == {"test": {"n": -2, "deep": {"n": 3.5}, "list": ["a", {"b": 1}]}}
    assert result.ok


def test_incr_and_append_show_in_what_was_handed_out():
    def crew(event, ctx):
        score = ctx["score"]
        ctx.incr("score.home")
        ctx.append("score.log", "goal")
        assert score == {"home": 1, "log": ["goal"]}
        score["home"] += 1
        assert ctx["score"]["home"] == 2

    assert context(put(score={}), crew) == {"score": {"home": 2, "log": ["goal"]}}


def test_a_context_is_a_mapping():
    def crew(event, ctx):
        assert (len(ctx), list(ctx), "a" in ctx, "z" in ctx, 1 in ctx) == (
            2,
            ["a", "b"],
            True,
            False,
            False,
        )
        assert (ctx.keys(), ctx.values(), ctx.items()) == (
            ["a", "b"],
            [1, [2]],
            [("a", 1), ("b", [2])],
        )
        assert (ctx.get("z"), ctx.get("z", 3), ctx["a"]) == (None, 3, 1)
        assert (ctx.pop("a"), ctx.pop("z", None), "a" in ctx) == (1, None, False)
        assert ctx.setdefault("c", []) == []
        ctx["c"].append(1)
        ctx.setdefault("b", None).append(3)
        ctx.update({"d": 1}, e=2)
        del ctx["d"]
        with pytest.raises(KeyError):
            ctx["gone"]
        with pytest.raises(KeyError):
            del ctx["gone"]
        with pytest.raises(KeyError):
            ctx.pop("gone")

    assert context(put(a=1, b=[2]), crew) == {"b": [2, 3], "c": [1], "e": 2}


def test_a_list_of_ones_own_goes_on_being_ones_own():
    def crew(event, ctx):
        mine = [1]
        ctx["list"] = mine
        mine.append(2)
        ctx["list"].append(3)

    assert context(crew) == {"list": [1, 2, 3]}


def test_what_is_read_and_left_alone_is_no_change():
    def look(event, ctx):
        assert ctx["a"]["b"] == [1]

    stream = TestStream()
    stream.orchestrator.register_handler(put(a={"b": [1]}), "first", crew="first")
    stream.orchestrator.register_handler(look, "second")
    stream.at(0).event("first")
    stream.at(500).event("second")
    assert stream.run().timeline.splitlines()[1] == "1  look   second null  → nothing"


@pytest.mark.parametrize("wrong", [{1}, float("nan"), object(), {1: 2}, b"", "\ud800"], ids=repr)
def test_what_is_no_json_cannot_be_put_into_a_context(wrong):
    def direct(event, ctx):
        with pytest.raises((TypeError, ValueError), match="ctx"):
            ctx["a"] = wrong
        with pytest.raises((TypeError, ValueError)):
            ctx.append("b", wrong)

    assert context(direct) == {}

    def hidden(event, ctx):
        ctx["list"] = []
        ctx["list"].append(wrong)

    result = told(hidden)
    assert [error.reason for error in result.errors] == ["error"]
    assert result.context == {"test": {}}


@pytest.mark.parametrize(
    ("incr", "by"), [("text", 1), ("list", 1), ("new", "1"), ("new", None), ("new", True), ("", [])]
)
def test_what_is_no_number_cannot_be_added(incr, by):
    def crew(event, ctx):
        with pytest.raises(TypeError):
            ctx.incr(incr, by) if by is not None else ctx.incr(incr, "x")

    context(put(text="a", list=[]), crew)


def test_integers_of_any_length_stay_exact():
    huge = 10**60 + 1

    def crew(event, ctx):
        assert ctx["n"] == huge
        ctx["n"] += 1
        with pytest.raises(TypeError, match="range"):
            ctx.incr("n")

    assert context(put(n=huge), crew) == {"n": huge + 1}


def test_x3_a_context_that_grows_too_large_fails_its_run_and_nothing_else():
    result = told(put(a="x" * 50), put(b="y" * 50), put(c="z"), context={"max_bytes": 100})
    assert [(error.crew, error.reason) for error in result.errors] == [("crew1", "ctx_size")]
    assert result.context == {"test": {"a": "x" * 50, "c": "z"}}


def test_x4_a_crew_sees_and_writes_what_it_may():
    access = {"crew1": {"read": ["open"], "write": ["open.*"]}}
    seen = []

    def look(event, ctx):
        seen.append(copy.deepcopy(dict(ctx)))
        ctx["open"]["more"] = 1

    result = told(put(open={"a": 1}, secret=1), look, context={"access": access})
    assert seen == [{"open": {"a": 1}}]
    assert result.context == {"test": {"open": {"a": 1, "more": 1}, "secret": 1}}


def test_x4_a_write_that_is_not_granted_fails_the_run():
    result = told(put(secret=1), context={"access": {"crew0": {"write": ["open"]}}})
    assert [error.reason for error in result.errors] == ["ctx_access"]


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        (repr, 'Context({"a":1,"b":2})'),
        (len, 2),
        (list, ["a", "b"]),
        (lambda ctx: ctx["b"], 2),
        (lambda ctx: "b" in ctx, True),
        (lambda ctx: ctx.incr("b"), 3),
    ],
)
def test_what_a_run_wrote_is_there_however_it_looks(look, seen):
    looked = []

    def crew(event, ctx):
        ctx["a"] = 1
        del ctx["gone"]
        ctx["b"] = 2
        looked.append(look(ctx))
        ctx["b"] = 0
        ctx.incr("b")

    assert context(put(gone=0), crew) == {"a": 1, "b": 1}
    assert looked == [seen]


def test_what_a_run_wrote_is_read_after_it():
    kept = []

    def crew(event, ctx):
        ctx["a"] = 1
        kept.append(ctx)

    context(crew)
    assert dict(kept[0]) == {"a": 1}


def test_a_context_is_over_when_its_run_is():
    kept = []
    context(lambda event, ctx: kept.append(ctx))
    with pytest.raises(RuntimeError, match="is over"):
        kept[0]["a"] = 1
    with pytest.raises(RuntimeError, match="is over"):
        kept[0].incr("a")


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_a_context_value_without_an_end_fails_its_run(kind):
    def crew(event, ctx):
        value: Any = {"list": [], "dict": {}}[kind]
        ctx["a"] = value
        if kind == "list":
            value.append(value)
        else:
            value["a"] = value

    stream = TestStream(crew)
    stream.at(0).event("tick")
    assert [error.reason for error in stream.run().errors] == ["error"]


# -- what a run knows about itself ------------------------------------------------------------


def test_t8_a_run_knows_its_slice_and_the_end_of_it():
    seen = []

    def crew(event, ctx):
        seen.append((ctx.slice, ctx.now.isoformat(), ctx.stream_id, ctx.crew, ctx.run, ctx.attempt))

    stream = TestStream(crew)
    stream.at("1.6s").event("tick")
    stream.run()
    assert seen == [(3, "2026-01-01T00:00:02+00:00", "test", "crew", "crew/3.0", 1)]


def randomly() -> list[object]:
    seen: list[object] = []

    def crew(event, ctx):
        first = ctx.random()
        assert isinstance(first, random.Random)
        assert ctx.random() is first
        seen.extend([first.random(), first.random(), ctx.random("other").random()])
        assert isinstance(ctx.uuid(), uuid.UUID)
        seen.extend([ctx.uuid(), ctx.uuid("other")])

    stream = TestStream(crew)
    stream.at(0).event("tick")
    stream.at(500).event("tick")
    stream.run()
    return seen


def test_t9_chance_is_the_same_whenever_it_is_replayed():
    assert randomly() == randomly()
    assert len(set(randomly())) == len(randomly())


def test_t9_a_name_has_a_sequence_of_its_own():
    seen = []

    def crew(event, ctx):
        if event.payload:
            ctx.random("added").random()
        seen.append((ctx.random("mine").random(), ctx.uuid("mine")))

    for payload in (False, True):
        stream = TestStream(crew)
        stream.at(0).event("tick", payload)
        stream.run()
    assert seen[0] == seen[1]
