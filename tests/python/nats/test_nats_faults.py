"""What goes wrong around hosts: networks, clocks, disks, clients. `make chaos` has it by the hour.

After each fault every event is answered, each once, and the journal is sound.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from nats_clock import wrong_clock
from nats_hosts import comment, host, is_sound, live, outside, ready, score
from nats_proxy import Proxy

import nats
from live_crew import event_handler
from live_crew.errors import TransportError

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def wire(server):
    made = await Proxy.start(server.url)
    try:
        yield made
    finally:
        await made.close()


async def answered_once(server, stream, goals):
    """Waits until every goal is answered, and sees that none was twice."""
    async with outside(server, stream) as other:
        await other.actions(goals)
        assert await other.counted() == Counter(range(goals))


@pytest.mark.parametrize("fault", ["cut off", "dead", "ten seconds behind"])
async def test_another_host_goes_on_for_one_whose_network_fails(nats_server, fault):
    stream = fault.replace(" ", "_")
    async with wire(nats_server) as proxy:
        one, standby = host(proxy, score), host(nats_server, score)
        async with live(one, stream), outside(nats_server, stream) as other:
            await ready(nats_server)
            await other.goals(*range(5))
            await other.actions(5)
            async with live(standby, stream):
                if fault == "cut off":
                    proxy.cut()
                elif fault == "dead":
                    proxy.go_dead()
                else:
                    proxy.delay_s = 10
                await other.goals(*range(5, 10))
                await other.actions(10)
                # What the first one wanted to write meanwhile is refused when it arrives.
                proxy.mend()
                proxy.hang_up()
                await other.goals(*range(10, 15))
                await answered_once(nats_server, stream, 15)
                await standby.stop()
            # Nobody else is there now.
            await other.goals(*range(15, 20))
            await answered_once(nats_server, stream, 20)
            result = await one.stop()
    assert result.context[stream] == {"score": {"home": 20}}
    assert is_sound(standby, stream)


# An old server has no batches: it is killed when it has the frame and not the action. One that has
# them is killed when it has all, and nobody was told.
@pytest.mark.parametrize(
    ("version", "what", "answer"),
    [("2.11.1", b"live.commit.actions", False), (None, b'"stream":"LIVE_LOG"', True)],
)
async def test_a_server_is_killed_in_the_middle_of_a_commit(start_nats, version, what, answer):
    server = start_nats(version=version)
    async with wire(server) as proxy:
        made = host(proxy, score)
        async with live(made, "commit"):
            await ready(server)
            async with outside(server, "commit") as other:
                await other.goals(0)
                await other.actions(1)
                caught = proxy.catch(what, answer=answer)
                await other.goals(1)
                await caught.wait()
            server.kill()
            options = {"folder": server.folder, "port": server.port, "version": version}
            again = await asyncio.to_thread(start_nats, **options)
            proxy.hang_up()
            async with outside(again, "commit") as other:
                await other.goals(2)
            await answered_once(again, "commit", 3)
            result = await made.stop()
            assert result.context["commit"] == {"score": {"home": 3}}
            # Beside this loop, in which the proxy is.
            assert await asyncio.to_thread(is_sound, made, "commit")


async def test_a_client_that_is_not_sure_sends_events_again(nats_server):
    made = host(nats_server, score)
    async with live(made, "unsure"):
        await ready(nats_server)
        for _ in range(3):
            async with outside(nats_server, "unsure") as other:
                await other.goals(*range(5), *range(5))
        async with outside(nats_server, "unsure") as other:
            await other.goals(5)
        await answered_once(nats_server, "unsure", 6)
        result = await made.stop()
    assert result.context["unsure"] == {"score": {"home": 6}}


async def test_runs_that_are_handed_to_two_runners_are_answered_once(nats_server):
    scheduler = host(nats_server, transport={"role": "scheduler"})
    async with live(scheduler, "handed", {"score"}), outside(nats_server, "handed") as other:
        await ready(nats_server)
        stream = other.connection.jetstream()
        runs = "live.handed.slice.*.comment.ready"
        await other.goals(*range(5))
        await other.actions(5)
        await stream.add_consumer("LIVE_RUNS", durable_name="thief", filter_subject=runs)
        thief = await stream.pull_subscribe_bind("thief", stream="LIVE_RUNS")
        for run in await thief.fetch(5, timeout=10):
            headers = {name: what for name, what in run.headers.items() if name != "Nats-Msg-Id"}
            await stream.publish(run.subject, run.data, headers=headers)
        # They are here twice, with runners of two hosts to take them.
        one, two = (host(nats_server, comment, transport={"role": "runner"}) for _ in range(2))
        async with live(one, "handed"), live(two, "handed"):
            await other.goals(*range(5, 10))
            await other.actions(10, "said")
            await scheduler.stop()
        assert await other.counted("said") == Counter(range(10))
    assert is_sound(scheduler, "handed")


@asynccontextmanager
async def apart(server, stream):
    """A scheduler with one crew, and a runner with the other."""
    scheduler = host(server, transport={"role": "scheduler"})
    runner = host(server, comment, transport={"role": "runner"})
    async with live(scheduler, stream, {"score"}), outside(server, stream) as other:
        await ready(server)
        async with live(runner, stream):
            yield scheduler, other


@pytest.mark.parametrize("of", ["LIVE_EVENTS", "LIVE_RUNS"])
async def test_readers_that_are_gone_are_made_anew(start_nats, of):
    async with apart(start_nats(), "read") as (scheduler, other):
        await other.goals(*range(5))
        for kind in ("scored", "said"):
            await other.actions(5, kind)
        stream = other.connection.jetstream()
        readers = [one.name for one in await stream.consumers_info(of)]
        assert readers
        for name in readers:
            assert await stream.delete_consumer(of, name)
        await other.goals(*range(5, 10))
        for kind in ("scored", "said"):
            await other.actions(10, kind)
            assert await other.counted(kind) == Counter(range(10))
        again = [one.name for one in await stream.consumers_info(of)]
        # That of a crew's runs is of all hosts, so its name stays; others are made anew.
        assert len(again) == len(readers)
        assert set(again) & set(readers) <= {"run-comment"}
        await scheduler.stop()
    assert is_sound(scheduler, "read")


@pytest.mark.parametrize(("of", "what"), [("LIVE_EVENTS", ".events"), ("LIVE_RUNS", ".done")])
async def test_a_reader_that_falls_silent_is_made_anew(start_nats, of, what):
    async with apart(start_nats(), "silent") as (scheduler, other):
        await other.goals(*range(5))
        await other.actions(5, "said")
        # It is there and says that it is well, but gives nothing.
        body = json.dumps({"pause_until": "2100-01-01T00:00:00Z"}).encode()
        readers = await other.connection.jetstream().consumers_info(of)
        readers = [one for one in readers if one.config.filter_subject.endswith(what)]
        assert readers
        for one in readers:
            subject = f"$JS.API.CONSUMER.PAUSE.{of}.{one.name}"
            answer = json.loads((await other.connection.request(subject, body)).data)
            assert answer["paused"], answer
        await other.goals(*range(5, 10))
        await other.actions(10, "said")
        assert await other.counted("said") == Counter(range(10))
        await scheduler.stop()
    assert is_sound(scheduler, "silent")


async def test_a_server_whose_disk_is_full_for_a_while(start_nats):
    server = start_nats(jetstream="max_file_store: 8MB")
    made = host(server, score)
    async with live(made, "full"), outside(server, "full") as other:
        await ready(server)
        await other.goals(*range(5))
        await other.actions(5)
        stream = other.connection.jetstream()
        await stream.add_stream(name="FILLER", subjects=["filler"])
        for size in (1 << 16, 1 << 4):
            with suppress(nats.js.errors.APIError):
                while True:
                    await stream.publish("filler", bytes(size))
        with pytest.raises(nats.js.errors.APIError):
            await other.goals(5)
        # Not even a lease can be renewed: the host gives up what it has, and tries for it.
        leases = await other.connection.subscribe("$KV.live_lease.>")
        for _ in range(4):
            await leases.next_msg(timeout=30)
        await stream.delete_stream("FILLER")
        await other.goals(*range(5, 10))
        await answered_once(server, "full", 10)
        result = await made.stop()
    assert result.context["full"] == {"score": {"home": 10}}
    assert is_sound(made, "full")


async def test_what_a_part_did_before_it_was_given_up_is_counted(start_nats, caplog):
    server = start_nats()
    made = host(server, score)
    async with live(made, "given-up"), outside(server, "given-up") as other:
        await ready(server)
        await other.goals(*range(5))
        await other.actions(5)
        # Nothing can be written any more, not even who decides.
        stream = other.connection.jetstream()
        log = await stream.stream_info("LIVE_LOG")
        log.config.max_bytes = log.state.bytes + 1
        await stream.update_stream(log.config)
        await other.goals(5)
        for _ in range(600):
            if "a part is given up" in caplog.text:
                break
            await asyncio.sleep(0.05)
        result = await made.stop()
    assert "maximum bytes exceeded" in caplog.text
    # One is in no journal, and comes again.
    assert result.events_processed in (5, 6)
    assert result.context["given-up"]["score"]["home"] >= 5


def run(folder, server, off_s):
    """A host as a process, whose clock is wrong."""
    section = f"transport: {{kind: nats, url: '{server.url}', lease_s: 1, shards: 2}}\n"
    (folder / "live_crew_config.yaml").write_text("slice_ms: 50\n" + section)
    env = wrong_clock(folder, off_s)
    env["PYTHONPATH"] = ":".join([*sys.path, env.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "live_crew", "run", "-s", "hours", "--handlers", "nats_hosts"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="has no `cc`")
async def test_hosts_with_wrong_clocks_take_turns(nats_server, tmp_path):
    for turn, off_s in enumerate([3_600, -3_600]):
        wrong = run(tmp_path, nats_server, off_s)
        try:
            await ready(nats_server)
            async with outside(nats_server, "hours") as other:
                await other.goals(*range(5 * turn, 5 * turn + 5))
                await other.actions(5 * turn + 5)
        finally:
            wrong.kill()
            wrong.wait()
    made = host(nats_server)
    async with live(made, "hours"):
        async with outside(nats_server, "hours") as other:
            await other.goals(*range(10, 15))
        await answered_once(nats_server, "hours", 15)
        result = await made.stop()
    assert result.context["hours"] == {"score": {"home": 15}}
    assert is_sound(made, "hours")


@event_handler("goal")
def stumble(event):
    raise ValueError(event.payload["n"])


async def test_a_report_that_cannot_be_stored_is_told_until_it_is(start_nats):
    server = start_nats()
    made = host(server, score, stumble)
    async with live(made, "reports"), outside(server, "reports") as other:
        await ready(server)
        stream = other.connection.jetstream()
        config = (await stream.stream_info("LIVE_REPORTS")).config
        await stream.delete_stream("LIVE_REPORTS")
        told = await other.connection.subscribe("live.reports.errors")
        await other.goals(0)
        await told.next_msg(timeout=30)
        await other.actions(1)
        await stream.add_stream(config)
        reports = await stream.subscribe("live.reports.errors", ordered_consumer=True)
        report = json.loads((await reports.next_msg(timeout=30)).data)
        assert report["payload"]["crew"] == "stumble"
        await made.stop()


async def test_a_runner_that_cannot_begin_says_so(start_nats):
    server = start_nats()
    async with live(host(server, comment), "begun"), outside(server, "begun") as other:
        await ready(server)
        stream = other.connection.jetstream()
        await stream.add_consumer("LIVE_RUNS", durable_name="run-score", ack_policy="none")
    runner = host(server, score, transport={"role": "runner"})
    async with live(runner, "begun") as running:
        with pytest.raises(TransportError, match="run-score"):
            await asyncio.wait_for(running, 20)


async def test_a_host_whose_server_is_away_ends_when_it_is_stopped(start_nats):
    server = start_nats()
    made = host(server, score)
    async with live(made, "left"):
        await ready(server)
        server.kill()
        # Not for ever: the limit of this module would end it.
        result = await made.stop()
    assert result.ok
