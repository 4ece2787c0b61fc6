"""What the signature of a handler may say: the event and its model, and `ctx`."""

from __future__ import annotations

import functools
import pickle
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from live_crew import Event, Orchestrator, event_handler
from live_crew.errors import HandlerError
from live_crew.testing import TestStream

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Signup(BaseModel):
    name: str


@event_handler("tick")
def at_the_top(event: Event[Signup]) -> object:
    return {"kind": "type", "payload": type(event.payload).__name__}


def answers(handler: Any) -> list[object]:
    stream = TestStream()
    stream.orchestrator.register_handler(handler, "tick")
    stream.at(0).event("tick", {"name": "Ada"})
    return [action.payload for action in stream.run().actions]


def name_of_type(event: Event[Signup], ctx: Missing) -> object:
    return {"kind": "type", "payload": type(event.payload).__name__}


def test_only_the_hint_of_the_event_is_looked_up():
    assert answers(name_of_type) == ["Signup"]
    assert answers(functools.partial(name_of_type)) == ["Signup"]


def test_a_model_that_the_function_uses_is_found_around_it():
    class Local(BaseModel):
        name: str

    def named(event: Event[Local]) -> object:
        return {"kind": "type", "payload": isinstance(event.payload, Local)}

    assert answers(named) == [True]


def test_an_event_that_is_imported_for_types_alone_is_known():
    module = ModuleType("apart")
    text = "class Plain: pass\ndef greet(event: 'Event[dict[str, Any]]'): return event.payload"
    exec(text, vars(module))  # noqa: S102
    assert answers(module.greet) == [{"name": "Ada"}]


def test_a_model_that_is_not_there_is_told_when_the_handler_is_registered():
    def late(event: Event[Missing]): ...

    @event_handler("tick")
    def decorated(event: Event[list[Missing]]): ...

    for handler in (late, decorated):
        with pytest.raises(HandlerError, match=r"`Missing` is not defined there; define the model"):
            Orchestrator().register_handler(handler)


def test_what_is_no_typed_event_may_say_what_it_likes():
    def loose(event: Missing, ctx): ...
    def plain(event: Event): ...
    def broken(event: "1 +"): ...  # noqa: F722

    for handler in (loose, plain, broken):
        assert Orchestrator().register_handler(handler).event_type is None


def test_a_second_parameter_with_a_default_is_no_context():
    wanted = [lambda event, n=n: {"kind": "n", "payload": n} for n in range(2)]
    assert [answers(one) for one in wanted] == [[0], [1]]


@pytest.mark.parametrize("name", ["ctx", "context"])
def test_a_context_may_have_a_default(name):
    made = eval(f"lambda event, {name}=None: {name}.slice")
    assert answers(made) == [0]


def test_a_context_by_any_name_and_after_a_star():
    assert answers(lambda event, shared: shared.slice) == [0]
    assert answers(lambda event, *more: more[0].slice) == [0]
    assert answers(lambda event, n=1, *more: {"n": n, "more": len(more)}) == [{"n": 1, "more": 0}]


def test_a_context_where_nobody_puts_it_is_refused():
    def by_name(event, *, ctx): ...
    def by_name_or_not(event, *, ctx=None): ...
    def turned(ctx, event): ...

    for wrong in (by_name, by_name_or_not, turned):
        with pytest.raises(HandlerError, match=rf"write `def {wrong.__name__}\(event, ctx\)`"):
            Orchestrator().register_handler(wrong)


def test_a_decorated_method_is_refused_where_it_stands():
    fix = r"`orchestrator.register_handler\(obj.greet, \"kind\"\)`"
    with pytest.raises(HandlerError, match=fix):

        class Greeter:
            @event_handler("tick")
            def greet(self, event): ...


def test_a_handler_is_pickled_by_its_name():
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top
    assert answers(at_the_top) == ["Signup"]


def test_the_type_of_ctx_has_a_name_to_import():
    from live_crew import Context

    seen: list[type] = []
    answers(lambda event, ctx: seen.append(type(ctx)))
    assert seen == [Context]
    assert "Context" in sys.modules["live_crew"].__all__
