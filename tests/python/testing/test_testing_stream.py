"""`TestStream`: events, crashes, late events and silence, and what comes of them."""

import asyncio
import math
from datetime import timedelta

import pytest

from live_crew import LiveCrewError, Orchestrator, event_handler
from live_crew.errors import ModelError, TransportError
from live_crew.testing import StreamResult, TestStream, assert_timeline


@event_handler("user_signup")
def greet(event, ctx):
    ctx["users"] = ctx.get("users", 0) + 1
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


@event_handler("user_signup", needs=[("greet", -1)])
def commentator(event):
    return None


def test_the_example_of_the_documentation():
    stream = TestStream(greet, commentator)
    stream.at(0).event("user_signup", {"name": "Ada"})
    stream.crash()
    stream.at("0.62s").event("user_signup", {"name": "Bob"})
    assert_timeline(
        stream,
        """
        0  greet        user_signup {"name":"Ada"}                      → greeting "Welcome Ada!"  ctx users=1
        1  commentator  user_signup {"name":"Ada"} @0 with greet@-1=0   → nothing
        1  commentator  user_signup {"name":"Bob"} with greet@-1=0      → nothing
        1  greet        user_signup {"name":"Bob"}                      → greeting "Welcome Bob!"  ctx users=2
        """,  # noqa: E501
    )


def seen(stream: TestStream) -> list[tuple[int, object]]:
    result = stream.run()
    return [(action.payload["slice"], action.payload["said"]) for action in result.actions]


@event_handler("*")
def tell(event, ctx):
    return {"kind": "told", "payload": {"slice": ctx.slice, "said": event.payload}}


@pytest.mark.parametrize(
    "when",
    [750, 750.0, "750ms", "0.75s", "750000us", "0.0125m", timedelta(milliseconds=750)],
    ids=str,
)
def test_time_is_counted_from_the_epoch(when):
    stream = TestStream(tell)
    stream.at(when).event("tick", "here")
    assert stream.marks[0].event.ts.isoformat() == "2026-01-01T00:00:00.750000+00:00"
    assert seen(stream) == [(1, "here")]


WRONG = ["soon", "", "5", "-1s", "1 day", "1e3ms", math.nan, None, []]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("point", [TestStream.at, TestStream.late, TestStream.gap])
def test_what_is_no_time_is_refused(point, wrong):
    with pytest.raises(LiveCrewError, match="is no time; write milliseconds"):
        point(TestStream(), wrong)


@pytest.mark.parametrize("far", [10**30, math.inf, f"{10**30}h", timedelta.max])
@pytest.mark.parametrize("point", [TestStream.at, TestStream.gap])
def test_a_time_that_no_calendar_has_is_refused(point, far):
    with pytest.raises(LiveCrewError, match="is too long; a stream ends with the year 9999"):
        point(TestStream(), far)


@pytest.mark.parametrize("before", [-5, -0.001, timedelta(days=-1)])
@pytest.mark.parametrize("point", [TestStream.at, TestStream.gap])
def test_no_time_goes_back(point, before):
    with pytest.raises(LiveCrewError, match="goes back in time; write 0 or more"):
        point(TestStream(), before)


def test_a_moment_takes_several_events():
    stream = TestStream(tell)
    stream.at(0).event("tick", 2).event("tick", 1)
    assert seen(stream) == [(0, 1), (0, 2)]


def test_an_hour_of_silence_is_nothing():
    stream = TestStream(tell)
    stream.at(100).event("tick", "before")
    stream.gap("1h").event("tick", "after")
    assert seen(stream) == [(0, "before"), (7_200, "after")]


def test_t5_a_late_event_is_delivered_in_the_open_slice():
    stream = TestStream(tell)
    stream.at(0).event("tick", 1)
    stream.at(1_200).event("tick", 2)
    stream.late(100).event("tick", "late")
    assert seen(stream) == [(0, 1), (2, "late"), (2, 2)]
    assert stream.result.counters["late"] == 1


def test_t5_the_policy_for_late_events_can_be_tested():
    stream = TestStream(tell, late_policy="drop")
    stream.at(1_200).event("tick", 2)
    stream.late(100).event("tick", "late")
    assert seen(stream) == [(2, 2)]


def test_an_event_that_is_not_late_after_all_is_told():
    stream = TestStream(tell)
    stream.at(400).event("tick")
    stream.late(100).event("tick")
    with pytest.raises(LiveCrewError, match="before their slice closed"):
        stream.run()


def test_an_event_that_is_late_by_mistake_is_told():
    stream = TestStream(tell)
    stream.at(1_200).event("tick")
    stream.at(100).event("tick")
    with pytest.raises(LiveCrewError, match="after their slice had closed"):
        stream.run()


def test_events_out_of_order_are_no_matter_while_their_slice_is_open():
    stream = TestStream(tell, lateness_ms=5_000)
    stream.at(1_200).event("tick", 2)
    stream.at(100).event("tick", 1)
    assert seen(stream) == [(0, 1), (2, 2)]


# -- crashes -----------------------------------------------------------------------------------


def story(*crashes: int, **settings: object) -> StreamResult:
    stream = TestStream(greet, commentator, **settings)
    for at, name in enumerate(["Ada", "Bob", "Cy", "Di"]):
        for _ in range(crashes.count(at)):
            stream.crash()
        stream.at(at * 300).event("user_signup", {"name": name})
    for _ in range(crashes.count(4)):
        stream.crash()
    return stream.run()


@pytest.mark.parametrize("crashes", [(0,), (2,), (4,), (1, 1), (0, 1, 2, 3, 4), (4, 4, 4)], ids=str)
def test_j3_a_crash_changes_nothing(crashes):
    calm, stricken = story(), story(*crashes)
    assert stricken == calm
    assert stricken.timeline == calm.timeline


def test_j3_a_crash_changes_nothing_in_a_file(tmp_path):
    assert story(1, 2, journal=tmp_path / "journal.db") == story()


def test_a_crash_comes_when_everything_before_it_is_taken_in():
    calls = []

    @event_handler("tick")
    def note(event):
        calls.append(event.payload)

    stream = TestStream(note)
    stream.at(0).event("tick", 1)
    stream.at(500).event("tick", 2)
    stream.crash()
    stream.at(1_000).event("tick", 3)
    stream.run()
    # Slice 0 was committed before the crash, so nothing of it is done again.
    assert calls == [1, 2, 3]


async def test_a_crash_cancels_what_was_under_way():
    began, cancelled = [], []

    @event_handler("tick")
    async def slow(event, ctx):
        began.append(event.payload)
        try:
            for _ in range(50):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            cancelled.append(event.payload)
            raise
        return event.payload

    stream = TestStream(slow)
    stream.at(0).event("tick", 1)
    stream.at(500).event("tick", 2)
    stream.crash()
    stream.at(1_000).event("tick", 3)
    result = await stream.run_async()
    assert [action.payload for action in result.actions] == [1, 2, 3]
    assert sorted(began) == sorted([1, 2, 3, *cancelled])


def test_a_crash_amid_more_events_than_are_taken_at_a_time():
    def told(*, crashes: bool) -> StreamResult:
        stream = TestStream(tell)
        for number in range(256 * 2 + 1):
            stream.at(number).event("tick", number)
            if crashes and number % 256 in (0, 255):
                stream.crash()
        return stream.run()

    assert told(crashes=True) == told(crashes=False)


def test_errors_are_told_once_whatever_happened():
    @event_handler("tick", max_errors=9)
    def broken(event):
        raise ValueError(event.payload)

    stream = TestStream(broken)
    stream.at(0).event("tick", "a")
    stream.at(500).event("tick", "b")
    stream.crash().crash()
    stream.at(1_000).event("tick", "c")
    assert [error.message for error in stream.run().errors] == [f"ValueError: {it}" for it in "abc"]


# -- what it is made of -------------------------------------------------------------------------


def test_an_orchestrator_may_be_brought_along():
    orchestrator = Orchestrator(slice_ms=100)
    orchestrator.register_crew("told", tell)
    stream = TestStream(orchestrator=orchestrator)
    stream.at(250).event("tick", 1)
    assert stream.run().ok
    assert orchestrator.explain("told", 0)
    with pytest.raises(LiveCrewError, match="`slice_ms`"):
        TestStream(orchestrator=orchestrator, slice_ms=100)


def test_settings_are_those_of_the_orchestrator():
    stream = TestStream(tell, slice_ms=100)
    stream.at(250).event("tick", 1)
    assert seen(stream) == [(2, 1)]


def test_events_may_be_of_several_streams_and_have_identities():
    stream = TestStream(tell)
    stream.at(0).event("tick", 1, stream_id="a", id="x").event("tick", 1, stream_id="a", id="x")
    stream.at(0).event("tick", 2, stream_id="b", correlation_id="c")
    result = stream.run()
    assert sorted(result.digests) == ["a", "b"]
    assert result.counters["duplicates"] == 1
    assert [line.split()[0] for line in result.timeline.splitlines()] == [
        "stream",
        "0",
        "stream",
        "0",
    ]


def test_what_is_no_event_is_refused_where_it_is_written():
    for kind, more in [("no kind", {}), ("__own", {}), ("tick", {"nonsense": "x"})]:
        with pytest.raises(ModelError):
            TestStream().at(0).event(kind, **more)
    with pytest.raises(ModelError):
        TestStream().at(0).event("tick", {1, 2})


async def test_run_is_for_tests_without_a_loop():
    with pytest.raises(LiveCrewError, match="run_async"):
        TestStream().run()


def test_a_stream_may_be_run_again():
    stream = TestStream(greet)
    stream.at(0).event("user_signup", {"name": "Ada"})
    assert stream.run() == stream.run()


def test_what_goes_wrong_beside_the_crews_is_raised(tmp_path):
    class Broken:
        async def publish(self, action):
            raise ConnectionError("gone")

    stream = TestStream(tell, transport=Broken())
    stream.at(0).event("tick")
    with pytest.raises(TransportError, match="gone"):
        stream.run()


# -- timelines ---------------------------------------------------------------------------------


def made() -> TestStream:
    stream = TestStream(greet)
    stream.at(0).event("user_signup", {"name": "A  da"})
    return stream


def test_how_much_space_is_between_does_not_matter_but_within_a_text_it_does():
    assert_timeline(
        made(),
        '0 greet user_signup   {"name":"A  da"} →\tgreeting "Welcome A  da!" ctx users=1\n\n',
    )
    with pytest.raises(AssertionError):
        assert_timeline(
            made(), '0 greet user_signup {"name":"A da"} → greeting "Welcome A da!" ctx users=1'
        )


def test_a_difference_is_shown_by_line_and_what_happened_can_be_pasted():
    with pytest.raises(AssertionError) as raised:
        assert_timeline(made(), "0  greet  nothing")
    text = str(raised.value)
    assert "- 0 greet nothing" in text
    assert '+ 0 greet user_signup {"name":"A  da"} → greeting' in text
    assert_timeline(made(), text.split("what happened:")[1])


def test_a_result_tells_its_timeline_too():
    assert_timeline(made().run(), made().run().timeline)
    with pytest.raises(TypeError, match="TestStream"):
        assert_timeline("0  greet", "0  greet")


def test_nothing_happened_is_a_timeline():
    stream = TestStream(greet)
    stream.at(0).event("other")
    assert_timeline(stream, "")


def test_a_timeline_tells_failures_tries_and_disabled_crews():
    @event_handler("tick", retry={"attempts": 2}, max_errors=2)
    def broken(event):
        raise ValueError("boom")

    stream = TestStream(broken)
    for at in range(3):
        stream.at(at * 500).event("tick", at)
    assert_timeline(
        stream,
        """
        0  broken  tick 0  ! error: ValueError: boom after 2 tries
        1  broken  tick 1  ! error: ValueError: boom after 2 tries
        1  broken  disabled: 2 runs in a row failed; the crew stops until it is enabled again
        2  broken          ! disabled
        """,
    )
