"""Chapters 5 and 11: what can be a handler, what it is given and what its answer becomes."""

import asyncio
import functools
import re
from typing import Any

import pytest
from pydantic import BaseModel

from live_crew import Action, Event, Orchestrator, event_handler
from live_crew.errors import ConfigError, HandlerError
from live_crew.testing import StreamResult, TestStream, assert_timeline


def played(*handlers: Any, kind: str = "tick", payload: object = None, **settings) -> StreamResult:
    stream = TestStream(*handlers, **settings)
    stream.at(0).event(kind, payload)
    return stream.run()


def kinds(result: StreamResult) -> list[str]:
    return [action.kind for action in result.actions]


def test_a_handler_takes_the_event():
    @event_handler("user_signup")
    def greet(event):
        return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}

    stream = TestStream(greet)
    stream.at(0).event("user_signup", {"name": "Ada"})
    assert_timeline(stream, '0  greet  user_signup {"name":"Ada"}  → greeting "Welcome Ada!"')


def test_a_handler_that_takes_two_is_given_the_context():
    @event_handler("tick")
    def count(event, ctx):
        ctx["ticks"] = ctx.get("ticks", 0) + 1

    assert played(count).context == {"test": {"ticks": 1}}


async def test_an_async_handler_is_awaited():
    @event_handler("tick")
    async def later(event, ctx):
        await asyncio.sleep(0)
        ctx["done"] = True
        return {"kind": "late", "payload": event.kind}

    stream = TestStream(later)
    stream.at(0).event("tick")
    result = await stream.run_async()
    assert kinds(result) == ["late"]
    assert result.context == {"test": {"done": True}}


def test_an_async_handler_that_does_not_wait_is_as_good_as_a_plain_one():
    @event_handler("tick")
    async def at_once(event):
        return {"kind": "now", "payload": None}

    assert kinds(played(at_once)) == ["now"]


def test_a_plain_handler_may_answer_with_something_to_await():
    async def answer() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"kind": "awaited", "payload": 1}

    @event_handler("tick")
    def give(event):
        return answer()

    assert kinds(played(give)) == ["awaited"]


@pytest.mark.parametrize(
    ("wanted", "reacts"),
    [("tick", True), ("tock", False), ("ti*", True), ("*", True), (["tock", "tick"], True)],
)
def test_c1_a_handler_reacts_to_its_kinds(wanted, reacts):
    @event_handler(wanted)
    def react(event):
        return {"kind": "reaction", "payload": None}

    assert kinds(played(react)) == ["reaction"] * reacts


def test_a_handler_without_kinds_reacts_to_all():
    @event_handler
    def react(event):
        return {"kind": "reaction", "payload": event.kind}

    assert [action.payload for action in played(react, kind="any").actions] == ["any"]


def test_a_decorated_function_is_still_a_function():
    @event_handler("tick")
    def double(event):
        """Twice."""
        return event * 2

    assert double(2) == 4
    assert (double.name, double.__doc__) == ("double", "Twice.")


class Greeter:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def greet(self, event):
        self.seen.append(event.kind)

    async def __call__(self, event):
        await asyncio.sleep(0)
        self.seen.append(f"called {event.kind}")


def test_methods_objects_and_partials_are_handlers_too():
    greeter = Greeter()
    stream = TestStream(greeter.greet, greeter, functools.partial(Greeter.greet, greeter))
    stream.at(0).event("tick")
    stream.run()
    assert sorted(greeter.seen) == ["called tick", "tick", "tick"]
    assert sorted(stream.orchestrator.crews) == ["Greeter", "greet", "partial"]


def test_what_cannot_be_a_handler_is_refused_when_it_is_registered():
    def nothing(): ...
    def yields(event):
        yield event

    def three(event, ctx, more): ...
    def keyword(event, *, more): ...

    for wrong in (nothing, yields, three, keyword, Greeter, 3, "greet", None):
        with pytest.raises(HandlerError):
            Orchestrator().register_handler(wrong)


@pytest.mark.parametrize("kinds", [3, [], [1], None])
def test_kinds_are_names(kinds):
    with pytest.raises(HandlerError):
        event_handler(kinds)


def test_two_crews_of_one_name_are_refused():
    @event_handler("tick")
    def react(event): ...

    orchestrator = Orchestrator()
    orchestrator.register_handler(react)
    with pytest.raises(ConfigError, match="react"):
        orchestrator.register_handler(react)
    orchestrator.register_handler(react, crew="again")
    assert sorted(orchestrator.crews) == ["again", "react"]


def test_a_crew_is_registered_under_a_name_of_its_own():
    orchestrator = Orchestrator()
    orchestrator.register_crew("greeter", lambda event: "hi", triggers="tick")
    stream = TestStream(orchestrator=orchestrator)
    stream.at(0).event("tick").event("tock")
    assert_timeline(stream, '0  greeter  tick null  → greeter_result "hi"')


def test_with_crews_takes_functions_and_mappings():
    def answer(event):
        return event.kind

    crews = {"all": answer, "some": {"crew": answer, "triggers": ["tock"], "priority": -1}}
    orchestrator = Orchestrator().with_crews(crews)
    assert orchestrator.crews == ["some", "all"]
    with pytest.raises(ConfigError, match="names no `crew`"):
        orchestrator.with_crews({"none": {"triggers": ["tick"]}})


@pytest.mark.parametrize(
    ("register", "said"),
    [
        (lambda one: one.with_crews(5), "crews are a mapping, not 5; give `{'name': crew}`"),
        (lambda one: one.with_crews([print]), "crews are a mapping, not [<built-in"),
        (lambda one: one.register_crew("c", print, 5), "triggers[0]: 5 is no trigger; use a kind"),
        (lambda one: Orchestrator(config=5), "5 is no configuration; give the path of a file"),
        (lambda one: Orchestrator(config={"slice_ms": 5}), "a mapping is no configuration"),
        (lambda one: Orchestrator.from_config(5), "5 is no configuration"),
    ],
)
def test_what_cannot_be_registered_is_told(register, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        register(Orchestrator())


# -- typed -------------------------------------------------------------------------------------


class Signup(BaseModel):
    name: str
    age: int = 0


def test_a_handler_that_declares_a_model_is_given_one():
    seen = []

    @event_handler("user_signup")
    def greet(event: Event[Signup]):
        seen.append(event.payload)
        return event.payload

    result = played(greet, kind="user_signup", payload={"name": "Ada", "age": "36"})
    assert seen == [Signup(name="Ada", age=36)]
    assert result.actions[0].payload == {"name": "Ada", "age": 36}


def test_a_payload_that_does_not_fit_the_model_fails_its_run_only():
    @event_handler("user_signup")
    def greet(event: Event[Signup]): ...

    stream = TestStream(greet)
    stream.at(0).event("user_signup", {"age": 1}).event("user_signup", {"name": "Bob"})
    result = stream.run()
    assert [(error.reason, error.run) for error in result.errors] == [("error", "greet/0.0")]
    assert "name" in result.errors[0].message
    assert result.counters["landed"] == 1


# -- batches -----------------------------------------------------------------------------------


def test_c2_a_batch_is_all_triggers_of_a_slice():
    @event_handler("tick", batch="slice")
    def together(events):
        return [{"kind": "seen", "payload": [event.payload for event in events]}]

    stream = TestStream(together)
    stream.at(20).event("tick", 3).event("tick", 2)
    stream.at(0).event("tick", 1)
    stream.at(500).event("tick", 4)
    assert_timeline(
        stream,
        """
        0  together  tick 1, tick 2, tick 3  → seen [1,2,3]
        1  together  tick 4                  → seen [4]
        """,
    )


def test_o1_events_of_one_instant_come_by_kind_and_payload():
    seen = []
    stream = TestStream(lambda event: seen.append((event.kind, event.payload)))
    stream.at(0).event("b", 1).event("a", 2).event("a", 10).event("a", 1)
    stream.run()
    assert seen == [("a", 1), ("a", 10), ("a", 2), ("b", 1)]


# -- answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "actions"),
    [
        (None, []),
        ([], []),
        ({"kind": "k", "payload": 1}, [("k", 1)]),
        ([{"kind": "k", "payload": 1}, {"kind": "l", "payload": 2}], [("k", 1), ("l", 2)]),
        ({"actions": [{"kind": "k", "payload": 1}]}, [("k", 1)]),
        ("text", [("react_result", "text")]),
        (7, [("react_result", 7)]),
        ({"plain": "dict"}, [("react_result", {"plain": "dict"})]),
        ((1, None, "a"), [("react_result", 1), ("react_result", "a")]),
        (False, [("react_result", False)]),
    ],
)
def test_a1_an_answer_becomes_actions(answer, actions):
    def react(event):
        return answer

    result = played(react)
    assert not result.errors
    assert [(action.kind, action.payload) for action in result.actions] == actions


def test_a1_a_handler_may_answer_with_actions():
    def react(event):
        return [Action.from_event(event, "reply", {"to": event.payload}), None]

    result = played(react, payload="Ada")
    assert [(action.kind, action.payload) for action in result.actions] == [
        ("reply", {"to": "Ada"})
    ]


def test_a1_an_action_has_defaults_and_may_say_otherwise():
    def react(event):
        own = {"ttl_ms": 9, "stream_id": "other", "ts": "2030-01-01T00:00:00Z"}
        return [{"kind": "k", "payload": 1}, {"kind": "l", "payload": 2, **own}]

    stream = TestStream(react)
    stream.at(0).event("tick", correlation_id="c", transaction_id="t")
    default, said = stream.run().actions
    assert (default.ttl_ms, default.stream_id) == (5_000, "test")
    assert (default.correlation_id, default.transaction_id) == ("c", "t")
    assert default.causation_id == "react/0.0"
    assert default.ts.isoformat() == "2026-01-01T00:00:00.500000+00:00"
    assert (said.ttl_ms, said.stream_id, said.ts.year) == (9, "other", 2030)


def test_a2_an_answer_may_change_the_context():
    def react(event):
        return {"actions": [], "context": {"users": 1}}

    assert played(react).context == {"test": {"users": 1}}


class Anything:
    pass


@pytest.mark.parametrize(
    "rubbish",
    [
        {1, 2},
        float("nan"),
        Anything(),
        {"kind": "k", "payload": float("inf")},
        {"kind": "__own", "payload": 1},
        {"kind": "not a kind", "payload": 1},
        {"kind": "k", "payload": 1, "ttl_ms": -1},
        {"kind": "k", "payload": 1, "tll_ms": 1},
        {"actions": "none"},
        {"actions": [{"payload": 1}]},
        {"k": {"deep": [Anything()]}},
        {1: "not a text"},
        b"bytes",
        "\ud800",
    ],
    ids=repr,
)
def test_a4_an_answer_that_is_none_fails_the_run_with_the_reason(rubbish):
    def react(event, ctx):
        ctx["touched"] = True
        return rubbish

    result = played(react)
    assert [error.reason for error in result.errors] == ["output"]
    assert (list(result.actions), result.context) == ([], {"test": {}})
