"""Streams on a real server: in from anybody, out to anybody, on through restarts and take-overs."""

import asyncio
import json
import os
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from nats_hosts import config_of, host, is_sound, live, outside, ready, score
from typer.testing import CliRunner

from live_crew import Event, Orchestrator, event_handler
from live_crew.cli.app import app
from live_crew.config import make_config
from live_crew.errors import TransportError
from live_crew.settings import Settings

pytestmark = pytest.mark.timeout(120)


async def test_anybody_may_publish_events_and_read_actions(nats_server):
    made = host(nats_server)
    async with live(made, "open") as running:
        await ready(nats_server)
        async with outside(nats_server, "open") as other:
            await other.goals(*range(20))
            assert sorted(await other.actions(20)) == list(range(20))
            assert sorted(await other.actions(20, "said")) == list(range(20))
        result = await made.stop()
    assert running.done()
    assert result.ok, result.errors
    assert result.context["open"] == {"score": {"home": 20}}
    assert is_sound(made, "open")
    assert "landed" in made.explain("score", 0, stream_id="open")


async def test_an_event_sent_twice_is_taken_once(nats_server):
    made = host(nats_server, score)
    async with live(made, "twice"):
        await ready(nats_server)
        async with outside(nats_server, "twice") as other:
            await other.goals(1, 1, 2)
            assert await other.actions(2) == [1, 2]
        result = await made.stop()
    assert result.context["twice"] == {"score": {"home": 2}}


@event_handler("goal")
def glance(event):
    action = {"kind": "glanced", "payload": {"goal": event.payload["n"]}}
    return {**action, "ttl_ms": 300} if event.payload["n"] == 1 else action


async def test_an_action_that_says_how_long_it_is_worth_doing_is_gone_after_that(nats_server):
    made = host(nats_server, glance)
    async with live(made, "brief"):
        await ready(nats_server)
        async with outside(nats_server, "brief") as other:
            await other.goals(1, 2)
            assert await other.actions(2, "glanced") == [1, 2]
            for _ in range(100):
                if (found := await other.counted("glanced")) == Counter([2]):
                    break
                await asyncio.sleep(0.1)
            assert found == Counter([2])
        await made.stop()
    assert is_sound(made, "brief")


async def test_a_host_that_comes_back_goes_on_where_it_was(nats_server):
    for begin in (0, 10, 20):
        made = host(nats_server, score)
        async with live(made, "again"):
            await ready(nats_server)
            async with outside(nats_server, "again") as other:
                await other.goals(*range(begin, begin + 10))
                found = await other.actions(begin + 10)
            result = await made.stop()
        assert Counter(found) == Counter(range(begin + 10))
    assert result.context["again"] == {"score": {"home": 30}}
    assert is_sound(made, "again")


async def test_more_is_said_at_once_than_the_client_takes_unanswered(nats_server):
    # The client takes 5 000 messages whose answers nobody has looked at, and waits at the next one.
    count = 5_100
    made = host(nats_server, score)
    place = made._settings.place("many")
    late = {"kind": "other", "stream_id": "many", "payload": None}
    async with live(made, "many") as running:
        await ready(nats_server)
        async with outside(nats_server, "many") as other:
            await other.goals(1)
            assert await other.actions(1) == [1]
            old = datetime.now(timezone.utc) - timedelta(hours=1)
            events = [Event.model_validate({**late, "ts": old}) for _ in range(count)]
            await asyncio.to_thread(place.publish, events)
            await other.goals(2)
            assert await other.actions(2) == [1, 2]
        result = await made.stop()
    assert running.done()
    assert result.counters["late"] >= count


@pytest.mark.parametrize("policy", ["next", "drop"])
async def test_a_foreign_client_hears_of_late_events(nats_server, policy):
    stream = f"late-{policy}"
    made = host(nats_server, score, late_policy=policy)
    async with live(made, stream):
        await ready(nats_server)
        async with outside(nats_server, stream) as other:
            told = await other.connection.subscribe(f"live.{stream}.late")
            await other.goals(1)
            assert await other.actions(1) == [1]
            old = datetime.now(timezone.utc) - timedelta(hours=1)
            event = {"kind": "goal", "ts": old.isoformat(), "payload": {"team": "home", "n": 2}}
            await other.connection.publish(f"live.{stream}.events", json.dumps(event).encode())
            late = json.loads((await told.next_msg(timeout=30)).data)
            await other.goals(3)
            taken = [1, 2, 3] if policy == "next" else [1, 3]
            assert await other.actions(len(taken)) == taken
            # Kept for who comes later.
            kept = await other.connection.jetstream().get_last_msg(
                "LIVE_REPORTS", f"live.{stream}.late"
            )
        result = await made.stop()
    assert (late["policy"], late["event"]["payload"]["n"]) == (policy, 2)
    assert late["intended_slice"] < -70_000
    assert json.loads(kept.data) == late
    assert result.counters["late"] == 1
    assert is_sound(made, stream)


async def test_what_is_no_event_goes_to_the_dead_letters_and_the_others_run(nats_server):
    made = host(nats_server, score)
    async with live(made, "odd"):
        await ready(nats_server)
        async with outside(nats_server, "odd") as other:
            letters = await other.connection.jetstream().subscribe(
                "live.*.dlq", ordered_consumer=True
            )
            for body in (b"{", b'{"kind": "goal"}', b'{"kind":"goal","stream_id":"x","payload":1}'):
                await other.connection.publish("live.odd.events", body)
            await other.goals(1)
            assert await other.actions(1) == [1]
            reasons = []
            while len(reasons) < 3:
                letter = json.loads((await letters.next_msg(timeout=30)).data)
                if letter["source"] == "live.odd.events":
                    reasons.append(letter["reason"])
    assert "`payload` is missing" in reasons[1]
    assert "was sent to `odd`" in reasons[2]


async def test_an_event_for_what_is_no_name_of_a_stream_is_refused(start_nats):
    server = start_nats()
    made = host(server, score)
    async with live(made, None):
        await ready(server)
        async with outside(server, "good") as other:
            letters = await other.connection.subscribe("live.*.dlq")
            good = b'{"kind": "goal", "payload": {}}'
            await other.connection.publish("live.b\u00e4d.events", good)
            letter = json.loads((await letters.next_msg(timeout=30)).data)
        await made.stop()
    assert letter["source"] == "live.b\u00e4d.events"
    assert letter["reason"].startswith("stream_id `b\u00e4d` is not allowed: 1 to 100 of A-Z")


async def test_each_host_runs_its_own_crews_and_all_see_one_stream(nats_server):
    one, other_host = host(nats_server), host(nats_server)
    async with live(one, "shared", {"score"}), live(other_host, "shared", {"comment"}):
        await ready(nats_server)
        async with outside(nats_server, "shared") as other:
            await other.goals(*range(10))
            assert sorted(await other.actions(10)) == list(range(10))
            assert sorted(await other.actions(10, "said")) == list(range(10))
    assert is_sound(one, "shared")


async def test_another_host_takes_over_from_one_that_is_killed(nats_server):
    one, standby = host(nats_server, score), host(nats_server, score)
    async with live(one, "taken") as running:
        await ready(nats_server)
        async with outside(nats_server, "taken") as other:
            await other.goals(*range(5))
            assert sorted(await other.actions(5)) == list(range(5))
            async with live(standby, "taken"):
                one._run.close()
                running.cancel()
                await other.goals(*range(5, 10))
                assert Counter(await other.actions(10)) == Counter(range(10))
                result = await standby.stop()
    assert result.context["taken"] == {"score": {"home": 10}}
    assert is_sound(standby, "taken")


async def test_a_server_that_is_killed_and_comes_back_loses_nothing(start_nats):
    from nats_parts import start

    server = start_nats()
    made = host(server, score)
    async with live(made, "back"):
        await ready(server)
        async with outside(server, "back") as other:
            await other.goals(*range(5))
            await other.actions(5)
        server.kill()
        again = start(server.folder, port=server.port)
        try:
            async with outside(again, "back") as other:
                await other.goals(*range(5, 10))
                assert Counter(await other.actions(10)) == Counter(range(10))
            result = await made.stop()
        finally:
            if made._run is not None:
                await made.stop(drain=False)
            again.kill()
    assert result.context["back"] == {"score": {"home": 10}}


def test_journals_on_nats_are_read_without_a_run(nats_server):
    journal = Settings(config_of(nats_server)).open_journal()
    assert journal.is_on_nats
    assert journal.path is None


async def test_a_journal_keeps_everything_where_nothing_else_is_configured(nats_server):
    # More than a journal in memory keeps.
    size, count = 450_000, 45
    made = host(nats_server, score, journal={"snapshot_every": 5})
    async with live(made, "kept"):
        await ready(nats_server)
        async with outside(nats_server, "kept") as other:
            for n in range(count):
                await other.goals(n, more={"noise": os.urandom(size // 2).hex()})
            await other.actions(count)
        await made.stop()
    assert is_sound(made, "kept")
    assert "landed" in made.explain("score", 0, stream_id="kept")


async def test_a_stream_run_by_itself_and_with_its_shard_is_never_mixed(nats_server):
    one, other_host = host(nats_server, score), host(nats_server, score)
    async with live(one, "mixed"), live(other_host, None):
        await ready(nats_server)
        async with outside(nats_server, "mixed") as other:
            for begin in (0, 5, 10):
                await other.goals(*range(begin, begin + 5))
                assert Counter(await other.actions(begin + 5)) == Counter(range(begin + 5))
    assert is_sound(one, "mixed")


class TestDeadLetters:
    """`live-crew dlq`."""

    async def letters(self, server, stream, goals):
        made = host(server, score)
        async with live(made, stream):
            await ready(server)
            async with outside(server, stream) as other:
                await other.connection.publish(f"live.{stream}.events", b'{"kind": "goal"}')
                await other.goals(*range(goals))
                await other.actions(goals)
        place = made._settings.place()
        return place, [one for one in place.dead_letters() if stream in one[2]]

    async def test_they_are_listed_and_go_out_again(self, start_nats):
        server = start_nats()
        place, letters = await self.letters(server, "letters", 1)
        assert [(json.loads(body)["raw"]) for _, _, body in letters] == ['{"kind": "goal"}']
        assert place.requeue(letters[0][0]) == "letters"
        assert place.dead_letters() == []
        # It is refused again for the same reason, and is a letter again.
        place, letters = await self.letters(server, "letters", 2)
        assert len(letters) == 2

    async def test_one_that_is_not_there(self, nats_server):
        place = Settings(config_of(nats_server)).place()
        with pytest.raises(TransportError, match="dead letter 999999: there is none"):
            place.requeue(999_999)


async def test_a_stream_that_falls_silent_is_told_by_whoever_hears_it(nats_server):
    beating = Orchestrator(config=config_of(nats_server, heartbeat_s=1))
    beating.register_handler(score)
    transport = {"kind": "nats", "url": nats_server.url, "role": "runner", "shards": 2}
    listening = Orchestrator(config=make_config(transport=transport, heartbeat_s=1))
    listening.register_handler(score)
    async with outside(nats_server, "beats") as other, live(beating, "beats") as running:
        await ready(nats_server)
        beats = await other.connection.subscribe("live.beats.heartbeats")
        errors = await other.connection.subscribe("live.beats.errors")
        await other.connection.flush()
        async with live(listening, "beats"):
            await other.goals(1)
            for _ in range(2):
                assert "slice" in json.loads((await beats.next_msg(timeout=30)).data)
            beating._run.close()
            running.cancel()
            told = json.loads((await errors.next_msg(timeout=30)).data)
    assert told["payload"]["reason"] == "silent"
    assert "no heartbeat for 3 s" in told["payload"]["message"]


def test_dead_letters_by_command(nats_server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = f"transport: {{kind: nats, url: '{nats_server.url}', shards: 2}}\n"
    (tmp_path / "live_crew_config.yaml").write_text(section)

    def dlq(*args):
        return CliRunner().invoke(app, ["dlq", *args])

    listed = json.loads(dlq("--json").stdout)["letters"]
    if listed:
        number = str(listed[0]["number"])
        assert json.loads(dlq("show", number).stdout)["number"] == listed[0]["number"]
        assert "again" in dlq("requeue", number).stderr
    assert "there is no dead letter 999999" in dlq("show", "999999").stderr
    assert "say which letters" in dlq("requeue").stderr
    (tmp_path / "live_crew_config.yaml").write_text("slice_ms: 500\n")
    assert "with `transport: {kind: nats}` only" in dlq().stderr
