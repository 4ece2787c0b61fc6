"""Chapters 9 and 10: journals that outlive their process, and runs that are equal to the byte."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from live_crew import Orchestrator, event_handler
from live_crew.errors import JournalError
from live_crew.testing import StreamResult, TestStream


@event_handler("tick")
def count(event, ctx):
    ctx.incr("n", event.payload)
    ctx.append("log", ctx.random().randint(0, 1_000))
    return {"kind": "counted", "payload": ctx["n"]}


@event_handler("tick", needs=[("count", -1)])
async def follow(event, ctx):
    await asyncio.sleep(0)
    ctx["last"] = {"seen": ctx.deps["count"], "at": ctx.now.isoformat()}
    return str(ctx.uuid())


def played(*crashes: int, **settings: Any) -> StreamResult:
    """Eight ticks, with a crash before some of them."""
    stream = TestStream(count, follow, **settings)
    for at in range(8):
        if at in crashes:
            stream.crash()
        stream.at(at * 300).event("tick", at)
    return stream.run()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_j3_a_crash_anywhere_changes_nothing():
    calm = played()
    assert len(calm.actions) > 8
    for crashes in [(0,), (1,), (4,), (7,), (1, 2, 3), tuple(range(8))]:
        assert played(*crashes) == calm


def test_j3_a_crash_changes_nothing_on_disk_either(journal):
    calm = played()
    assert played(1, 2, 5, journal=journal) == calm


def test_j4_memory_and_disk_give_the_same_digests(journal):
    assert played(journal=journal).digests == played().digests


def test_j4_plain_and_async_handlers_give_the_same_digests():
    def plain(event, ctx):
        ctx["x"] = event.payload
        return event.payload

    async def at_once(event, ctx):
        ctx["x"] = event.payload
        return event.payload

    async def later(event, ctx):
        ctx["x"] = event.payload
        for _ in range(event.payload % 3):
            await asyncio.sleep(0)
        return event.payload

    def told(handler: Any, **options: Any) -> StreamResult:
        stream = TestStream()
        stream.orchestrator.register_handler(handler, "tick", crew="crew", **options)
        for at in range(20):
            stream.at(at * 100).event("tick", at)
        return stream.run()

    results = [told(plain), told(at_once), told(later), told(plain, timeout_ms=60_000)]
    assert all(result == results[0] for result in results)


def test_j4_another_answer_is_another_digest():
    def told(answer: int) -> str | None:
        stream = TestStream(lambda event: answer)
        stream.at(0).event("tick")
        return stream.run().digests["test"]

    assert told(1) != told(2)


def test_o1_the_order_of_arrival_within_a_slice_does_not_matter():
    def told(order: list[int]) -> StreamResult:
        stream = TestStream(count)
        for at in order:
            stream.at(at).event("tick", at)
        return stream.run()

    assert told([0, 10, 20, 30]) == told([30, 0, 20, 10])


def test_x5_the_context_of_any_slice_can_be_asked(journal):
    stream = TestStream(count, journal=journal)
    for at in range(3):
        stream.at(at * 500).event("tick", at)
    stream.run()
    again = Orchestrator(journal=journal)
    contexts = [again.context_at("test", at)["n"] for at in range(3)]
    assert contexts == [0, 1, 3]
    with pytest.raises(JournalError, match="the last one is 2"):
        again.context_at("test", 9)
    with pytest.raises(JournalError, match="nobody"):
        again.context_at("nobody", 0)


def test_n6_a_journal_explains_itself_to_another_process(journal):
    played(journal=journal)
    again = Orchestrator(journal=journal)
    assert "landed in slice 1" in again.explain("follow", 1)
    with pytest.raises(JournalError, match="did you mean `follow`"):
        again.explain("folow", 1)


@pytest.mark.parametrize("far", [2**70, -(2**70)])
def test_a_slice_that_no_stream_can_have_is_told(far):
    orchestrator = played().orchestrator
    with pytest.raises(JournalError, match=f"slice {far} is beyond any stream"):
        orchestrator.explain("follow", far)
    with pytest.raises(JournalError, match="beyond any stream"):
        orchestrator.context_at("test", far)
    with pytest.raises(JournalError, match="beyond any stream"):
        asyncio.run(orchestrator.replay(first=far))


def test_j4_a_journal_verifies(journal):
    result = played(journal=journal)
    verdict = Orchestrator(journal=journal).journal.verify("test")
    assert verdict["divergence"] is None
    assert verdict["digest"] == result.digests["test"]


def test_j3_an_input_that_is_known_is_not_taken_in_again(journal):
    once = played(journal=journal)
    again = played(journal=journal)
    assert list(again.actions) == []
    assert (again.digests, again.context) == (once.digests, once.context)


def test_j6_a_journal_of_other_crews_is_refused(journal):
    played(journal=journal)
    stream = TestStream(count, journal=journal)
    stream.at(0).event("tick", 1)
    with pytest.raises(JournalError, match="another plan"):
        stream.run()


def test_a_file_that_is_no_journal_is_refused(journal):
    journal.write_bytes(b"no journal" * 1_000)
    with pytest.raises(JournalError):
        played(journal=journal)


async def test_a_journal_in_use_is_refused(journal):
    refused: list[JournalError] = []

    @event_handler("tick")
    async def nested(event):
        with pytest.raises(JournalError) as raised:
            await Orchestrator(journal=journal).run([])
        refused.append(raised.value)

    stream = TestStream(nested, journal=journal)
    stream.at(0).event("tick")
    (await stream.run_async()).raise_for_errors()
    assert str(journal) in str(refused[0])


def test_the_context_before_an_error_is_read_from_the_journal(journal):
    @event_handler("tick")
    def broken(event, ctx):
        if event.payload == 2:
            raise ValueError("boom")
        ctx["n"] = event.payload

    stream = TestStream(broken, journal=journal)
    for at in range(3):
        stream.at(at * 500).event("tick", at)
    stream.run()
    error = stream.orchestrator.get_error_details("broken")
    assert error is not None
    assert (error.slice, error.context) == (2, {"n": 1})
