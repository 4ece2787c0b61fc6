"""Where events come from and actions go to: lists, files, iterators, objects of the program's."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from live_crew import Action, Event, LiveCrewError, Orchestrator, event_handler
from live_crew.errors import ConfigError, ModelError, TransportError
from live_crew.transports import ActionTransport, ContextBackend, EventTransport


def tick(number: int, second: int = 0) -> dict[str, Any]:
    ts = f"2026-01-01T00:00:{second:02}Z"
    return {"ts": ts, "kind": "tick", "stream_id": "s", "payload": number}


@event_handler("tick")
def echo(event, ctx):
    ctx.incr("n")
    return {"kind": "echo", "payload": event.payload}


def made(**settings: Any) -> Orchestrator:
    orchestrator = Orchestrator(**settings)
    orchestrator.register_handler(echo)
    return orchestrator


def payloads(actions: Any) -> list[object]:
    return [action.payload for action in actions]


TICKS = [tick(0), tick(1, 3), tick(2, 1)]
IN_ORDER = [0, 2, 1]


async def test_it_runs_over_mappings_and_events():
    for events in (TICKS, [Event.model_validate(one) for one in TICKS], iter(TICKS), tuple(TICKS)):
        result = await made().run(events)
        assert payloads(result.actions) == IN_ORDER
        assert (result.events_processed, result.ok) == (3, True)


@pytest.mark.parametrize("path", [str, Path])
async def test_it_runs_over_files(events_file, tmp_path, path):
    lines = events_file(TICKS)
    array = tmp_path / "events.json"
    array.write_text(json.dumps(TICKS))
    for file in (lines, array):
        assert payloads((await made().run(path(file))).actions) == IN_ORDER


def test_the_file_that_is_read_is_never_written(events_file, tmp_path):
    lines = Path(events_file(TICKS))
    before = lines.read_bytes()
    (tmp_path / "link").symlink_to(lines)
    for file in (lines, tmp_path / "link"):
        with pytest.raises(ConfigError, match="where the events are read; name another file"):
            made().run_sync(str(lines), actions=file)
        with pytest.raises(ConfigError, match="where the events are read; name another file"):
            made(transport={"kind": "file", "path": lines, "actions": file})
    assert lines.read_bytes() == before


def test_a_script_needs_no_loop(events_file):
    orchestrator = Orchestrator.from_file(events_file(TICKS))
    orchestrator.register_handler(echo)
    assert payloads(orchestrator.run_sync().actions) == IN_ORDER


async def test_run_sync_inside_a_loop_is_refused():
    with pytest.raises(LiveCrewError, match="await"):
        made().run_sync(TICKS)


async def test_running_twice_gives_the_same_twice(events_file):
    orchestrator = made()
    file = events_file(TICKS)
    once, again = await orchestrator.run(file), await orchestrator.run(file)
    assert once == again
    assert payloads(again.actions) == IN_ORDER


async def test_running_over_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing to run over"):
        await made().run()
    with pytest.raises(ConfigError, match="cannot run over int"):
        await made().run(3)


async def test_running_over_no_events_gives_nothing():
    result = await made().run([])
    assert (list(result.actions), result.context, result.ok) == ([], {}, True)


async def test_a_file_that_is_not_there_is_told():
    with pytest.raises(TransportError, match=r"nowhere\.json"):
        await made().run("nowhere.json")


async def test_what_is_no_event_in_a_list_ends_the_run():
    with pytest.raises(ModelError, match="kind"):
        await made().run([tick(0), {"ts": "2026-01-01T00:00:00Z"}])


async def test_what_is_no_event_in_a_file_is_refused_with_its_place(events_file):
    file = events_file([tick(0), "{", json.dumps({**tick(1), "kind": "__own"}), tick(2)])
    result = await made().run(file)
    assert payloads(result.actions) == [0, 2]
    assert [refusal.line for refusal in result.refused] == [2, 3]
    assert all(refusal.column for refusal in result.refused)
    assert str(result.refused[0]).startswith(str(file))
    assert not result.ok


async def test_an_old_file_is_not_asked_for_its_age(events_file):
    old = {**tick(0), "ts": "1999-12-31T23:59:59Z"}
    assert payloads((await made().run(events_file([old]))).actions) == [0]


async def test_an_iterator_that_raises_ends_the_run_with_its_exception():
    def events() -> Iterator[dict[str, Any]]:
        yield tick(0)
        raise ZeroDivisionError("in the events")

    with pytest.raises(ZeroDivisionError, match="in the events"):
        await made().run(events())


async def test_actions_in_a_file_are_those_in_memory(events_file, tmp_path):
    @event_handler("tick")
    def broken(event):
        raise ValueError("boom")

    kept, written = made(), made()
    for orchestrator in (kept, written):
        orchestrator.register_handler(broken, max_errors=9)
    out = tmp_path / "actions.jsonl"
    file = events_file(TICKS)
    in_memory = await kept.run(file)
    in_file = await written.run(file, actions=out)
    assert out.read_bytes() == in_memory.actions.to_jsonl()
    assert in_file.digests == in_memory.digests
    assert in_file.errors == in_memory.errors
    assert in_file.actions_published == 3
    assert len(in_file.actions) == 0
    lines = (tmp_path / "actions.jsonl.errors.jsonl").read_text().splitlines()
    errors = [json.loads(line) for line in lines]
    assert [error["body"]["payload"]["message"] for error in errors] == ["ValueError: boom"] * 3


def test_actions_can_be_asked_again_and_compared():
    result = made().run_sync(TICKS)
    actions = result.actions
    assert list(actions) == list(actions)
    assert actions == list(actions)
    assert (actions[0].payload, actions[-1].payload, payloads(actions[1:])) == (0, 1, [2, 1])
    assert repr(actions) == "<3 actions>"
    with pytest.raises(IndexError):
        actions[3]


# -- objects of the program's own ---------------------------------------------------------------


class Inbox:
    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[Event[Any]]:
        for event in self._events:
            await asyncio.sleep(0)
            yield Event.model_validate(event)


class Outbox:
    def __init__(self) -> None:
        self.published: list[Action[Any]] = []

    async def publish(self, action: Action[Any]) -> None:
        await asyncio.sleep(0)
        self.published.append(action)


class Both(Inbox, Outbox):
    def __init__(self, events: list[dict[str, Any]]) -> None:
        Inbox.__init__(self, events)
        Outbox.__init__(self)


class Mirror:
    def __init__(self) -> None:
        self.saved: list[tuple[str, int, dict[str, Any]]] = []

    async def save(self, stream_id: str, slice: int, context: Mapping[str, Any]) -> None:  # noqa: A002
        await asyncio.sleep(0)
        self.saved.append((stream_id, slice, dict(context)))


def test_the_objects_have_the_protocols():
    assert isinstance(Both([]), EventTransport)
    assert isinstance(Both([]), ActionTransport)
    assert isinstance(Mirror(), ContextBackend)


def listed(self):
    return TICKS


async def without_yield(self):
    return TICKS


@pytest.mark.parametrize(
    ("events", "said"), [(listed, "gave a list"), (without_yield, "gave a coroutine")]
)
async def test_a_transport_whose_events_are_none_is_told(events, said):
    transport = type("Mine", (), {"events": events})()
    orchestrator = made(transport=transport, pace="virtual")
    with pytest.raises(ConfigError, match=f"`Mine.events` {said}; write it as an `async def`"):
        await orchestrator.run()
    assert (await orchestrator.run(TICKS)).ok


async def test_a_transport_of_ones_own_gives_events_and_takes_actions():
    both = Both(TICKS)
    result = await made(transport=both, pace="virtual").run()
    assert payloads(both.published) == IN_ORDER
    assert result.actions_published == 3
    assert len(result.actions) == 0


async def test_a_transport_may_only_take_actions():
    outbox = Outbox()
    await made(transport=outbox).run(TICKS)
    assert payloads(outbox.published) == IN_ORDER


async def test_a_source_of_ones_own_may_be_given_to_a_run():
    result = await made(pace="virtual").run(Inbox(TICKS))
    assert payloads(result.actions) == IN_ORDER


async def test_a_transport_that_cannot_publish_ends_the_run():
    class Broken(Outbox):
        async def publish(self, action: Action[Any]) -> None:
            raise ConnectionError("gone")

    with pytest.raises(TransportError, match="ConnectionError: gone"):
        await made(transport=Broken()).run(TICKS)


async def test_a_plain_method_that_is_to_be_awaited_is_named():
    class Plain:
        def publish(self, action): ...
        def save(self, stream_id, slice, context): ...  # noqa: A002

    for name, settings in (("publish", {"transport": Plain()}), ("save", {"context": Plain()})):
        with pytest.raises(ConfigError, match=f"^`Plain.{name}` gave .*write it as an `async def`"):
            await made(**settings).run(TICKS)


async def test_a_context_back_end_is_told_what_was_committed():
    mirror = Mirror()
    await made(context=mirror).run(TICKS)
    assert mirror.saved[-1] == ("s", 6, {"n": 3})
    slices = [slice_index for _, slice_index, _ in mirror.saved]
    assert slices == sorted(slices)


async def test_how_far_a_run_is_can_be_asked_while_it_goes_on(events_file):
    path = events_file([tick(number, number // 50) for number in range(3_000)])
    orchestrator = Orchestrator()
    assert orchestrator.progress is None
    seen = []

    @event_handler("tick")
    def look(event):
        seen.append(orchestrator.progress)
        return {"kind": "echo", "payload": event.payload}

    orchestrator.register_handler(look)
    await orchestrator.run(path)
    assert seen == sorted(seen)
    assert 0 < seen[0].position < seen[-1].position <= path.stat().st_size
    assert orchestrator.progress == (path.stat().st_size, 3_000, 3_000)
    assert (seen[-1].events, seen[0].actions) == (3_000, 0)
    assert seen[-1].actions > 0


def test_every_handler_gets_a_payload_of_its_own_also_of_an_event_that_was_read_before() -> None:
    told = {"deep": [{"n": 1}], "flat": "x"}
    event = Event("2026-01-01T00:00:00Z", "tick", "s", told)
    event.payload["deep"][0]["n"] = "changed by who gave it"

    def spoil(event: Event) -> dict[str, object]:
        event.payload["deep"][0]["n"] += 1
        event.payload["flat"] = None
        return {"kind": "seen", "payload": event.payload}

    orchestrator = Orchestrator()
    orchestrator.register_handler(spoil, "tick", crew="one")
    orchestrator.register_handler(spoil, "tick", crew="two")
    result = orchestrator.run_sync([event, event])
    assert payloads(result.actions) == 4 * [{"deep": [{"n": 2}], "flat": None}]
    assert event.payload == {"deep": [{"n": "changed by who gave it"}], "flat": "x"}
