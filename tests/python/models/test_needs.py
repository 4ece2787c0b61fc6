"""What a crew may need."""

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from live_crew import CrewDep, EventDep
from live_crew.errors import ModelError


def test_a_crew_is_needed_from_the_slice_before_and_an_event_from_its_own() -> None:
    assert CrewDep("analytics") == CrewDep("analytics", -1)
    assert EventDep("payment") == EventDep(event="payment", offset=0)
    assert eval(repr(CrewDep("analytics", 0))) == CrewDep("analytics", 0)
    assert pickle.loads(pickle.dumps(EventDep("payment", -3))) == EventDep("payment", -3)
    with pytest.raises(FrozenInstanceError):
        CrewDep("analytics").offset = 3


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (CrewDep, ("a b",), "crew `a b` is not allowed: 1 to 64 of A-Z a-z 0-9 _ -"),
        (CrewDep, (3,), "field `crew` is `3`; write a string"),
        (CrewDep, ("a", 1.0), "`offset` is `1.0`; write an int from -10000 to 10000, in slices"),
        (EventDep, ("a", True), "`offset` is `True`; write an int from -10000 to 10000, in slices"),
        (EventDep, ("a-b",), "kind `a-b` is not allowed: 1 to 50 of A-Z a-z 0-9 _"),
        (
            EventDep,
            ("a", 10_001),
            "`offset` is `10001`; write an int from -10000 to 10000, in slices",
        ),
    ],
)
def test_what_nobody_can_need_is_refused(make: Any, given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ModelError) as raised:
        make(*given)
    assert str(raised.value) == message
