"""Contexts in a real Redis: there after every commit, and again after what goes wrong."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from live_crew import Event, Orchestrator, event_handler
from live_crew.errors import ConfigError, LiveCrewError, TransportError


def tick(second: int, stream: str = "s") -> dict[str, Any]:
    ts = f"2026-01-01T00:00:{second:02}Z"
    return {"ts": ts, "kind": "tick", "stream_id": stream, "payload": second}


def now(stream: str = "s") -> Event[Any]:
    return Event(ts=datetime.now(timezone.utc), kind="tick", stream_id=stream, payload=None)


@event_handler("tick")
def count(event, ctx):
    ctx.incr("n")
    ctx["last"] = event.payload
    return {"kind": "echo", "payload": event.payload}


def made(**settings: Any) -> Orchestrator:
    orchestrator = Orchestrator(**settings)
    orchestrator.register_handler(count)
    return orchestrator


def live(**settings: Any) -> Orchestrator:
    return made(slice_ms=5, lateness_ms=0, **settings)


async def until(there: Callable[[], object]) -> None:
    """Wait for something outside of this program, until the test takes too long."""
    while not there():  # noqa: ASYNC110 (a server rings no bell)
        await asyncio.sleep(0.01)


async def test_a_run_leaves_the_last_context_of_every_stream(redis):
    events = [tick(second, stream) for second in range(5) for stream in ("s", "match-1")]
    result = await made(context=redis.url).run(events)
    for stream in ("s", "match-1"):
        text, at = redis.context(stream)
        assert json.loads(text) == result.context[stream] == {"last": 4, "n": 5}
        assert at == 8
    assert result.counters["contexts_unsaved"] == 0


async def test_a_configuration_says_the_same(redis, tmp_path):
    config = tmp_path / "live_crew_config.yaml"
    config.write_text(f"kv_backend: redis\nkv_url: {redis.url}\n")
    await made(config=config).run([tick(0)])
    assert redis.context("s") == ('{"last":0,"n":1}', 0)


async def test_an_object_beside_is_told_too(redis):
    saved = []

    class Outbox:
        async def publish(self, action: Any) -> None:
            saved.append(action.payload)

    await made(context=redis.url, transport=Outbox()).run([tick(0)])
    assert saved == [0]
    assert redis.context("s") == ('{"last":0,"n":1}', 0)


async def test_a_restart_goes_on_and_mends_what_was_lost(redis, tmp_path):
    journal = str(tmp_path / "journal.db")
    async with live(journal=journal, context=redis.url) as first:
        await first.publish(now())
        await until(lambda: redis.context("s")[0] is not None)
    assert redis.context("s")[0] == '{"last":null,"n":1}'
    before = redis.ask("HGET", "lc:{s}:ctx", "writer")
    redis.ask("FLUSHALL")
    async with live(journal=journal, context=redis.url) as second:
        await until(lambda: redis.context("s")[0] == '{"last":null,"n":1}')
        await second.publish(now())
        await until(lambda: redis.context("s")[0] == '{"last":null,"n":2}')
    assert int(redis.ask("HGET", "lc:{s}:ctx", "writer")) > int(before)


async def test_a_run_in_memory_begins_anew_where_another_was(redis):
    await made(context=redis.url).run([tick(second) for second in range(9)])
    await made(context=redis.url).run([tick(0)])
    assert redis.context("s") == ('{"last":0,"n":1}', 0)


async def test_an_outage_holds_nobody_up_and_loses_nothing(redis, caplog):
    caplog.set_level(logging.INFO, "live_crew.context")
    async with live(context=redis.url) as orchestrator:
        await orchestrator.publish(now("quiet"))
        await orchestrator.publish(now("busy"))
        await until(lambda: redis.context("quiet")[0] and redis.context("busy")[0])
        redis.kill()
        actions = orchestrator.actions()
        for number in range(20):
            await orchestrator.publish(now("busy"))
            if number % 5 == 0:
                await anext(actions)
        await until(lambda: "WARNING" in [record.levelname for record in caplog.records])
        redis.start()
        await until(lambda: redis.context("busy")[0] == '{"last":null,"n":21}')
        await until(lambda: redis.context("quiet")[0] == '{"last":null,"n":1}')
    said = [(record.levelname, record.message) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "INFO"], said
    assert f"redis://127.0.0.1:{redis.port}" in said[0][1]
    assert "the run goes on" in said[0][1]
    assert "saved again" in said[1][1]
    assert orchestrator.result.ok


async def test_a_run_that_ends_in_an_outage_says_what_is_not_saved(redis, caplog):
    orchestrator = live(context=redis.url, drain_grace_s=1)
    await orchestrator.start()
    actions = orchestrator.actions()
    await orchestrator.publish(now())
    await anext(actions)
    await until(lambda: redis.context("s")[0] is not None)
    redis.kill()
    await orchestrator.publish(now())
    await anext(actions)
    result = await orchestrator.stop()
    assert result.context == {"s": {"last": None, "n": 2}}
    assert result.counters["contexts_unsaved"] == 1
    assert "the last contexts of 1 streams are not saved" in caplog.text


async def test_who_is_deposed_ends(redis):
    orchestrator = live(context=redis.url)
    await orchestrator.start()
    await orchestrator.publish(now())
    await until(lambda: redis.context("s")[0] is not None)
    redis.ask("HSET", "lc:{s}:ctx", "writer", "9007199254740993")
    async for _ in orchestrator.actions():
        with contextlib.suppress(LiveCrewError):
            await orchestrator.publish(now())
    with pytest.raises(TransportError, match="written by a newer session"):
        await orchestrator.stop()


async def test_a_wrong_password_is_told_and_not_shown(locked_redis, caplog):
    wrong = locked_redis.url.replace("opensesame", "hunter2")
    with pytest.raises(TransportError, match="check the user and the password") as error:
        await made(context=wrong).run([tick(0)])
    assert "hunter2" not in str(error.value) + caplog.text
    assert (await made(context=locked_redis.url).run([tick(0)])).ok


async def test_nobody_there_is_told_at_once(redis):
    redis.kill()
    with pytest.raises(TransportError, match=f"redis://127.0.0.1:{redis.port}/0: .*refused"):
        await made(context=redis.url).run([tick(0)])


def test_a_text_that_names_no_place_is_told_and_not_shown():
    with pytest.raises(ConfigError, match="names no place") as error:
        made(context="reddis://:hunter2@host")
    assert "hunter2" not in str(error.value)
