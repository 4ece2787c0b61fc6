"""`live-crew doctor --acl`: what each of its users may do at a real server, and nothing more."""

import json
import re
from collections import Counter

import pytest
from nats_hosts import Outside, config_of, live
from nats_parts import Client
from typer.testing import CliRunner

import nats
from live_crew import Orchestrator
from live_crew._core import check_server
from live_crew.cli.app import app

CONFIG = """\
crews:
  - {python: "crews:alpha", runtime: {crew: alpha, triggers: [goal]}}
  - {python: "crews:beta", runtime: {crew: beta, triggers: [goal]}}
"""
USERS = ["scheduler", "runner-alpha", "runner-beta", "producer", "reader"]
STREAMS = {
    "LIVE_EVENTS": ["live.*.events"],
    "LIVE_LOG": ["live.*.journal", "live.*.snapshots", "live.*.actions", "live.shard.*.term"],
    "LIVE_RUNS": ["live.*.slice.*.*.ready", "live.*.slice.*.*.done"],
    "LIVE_REPORTS": ["live.*.errors", "live.*.late"],
    "LIVE_DLQ": ["live.*.dlq"],
    "KV_live_ctx": ["$KV.live_ctx.>"],
    "KV_live_lease": ["$KV.live_lease.>"],
    "KV_live_nodes": ["$KV.live_nodes.>"],
}
OWN = "live.*.slice.*.alpha.ready"
OWN_DONE = "live.s.slice.1.alpha.done"
READY = "$JS.API.CONSUMER.{verb}.LIVE_RUNS.run-{crew}"


@pytest.fixture
def acl(tmp_path, monkeypatch):
    """The command, over two crews."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live_crew_config.yaml").write_text(CONFIG)
    return lambda *args: CliRunner().invoke(app, ["doctor", "--acl", *args])


@pytest.fixture
def sign_in(acl, start_nats):
    """A server with these users and the streams of live-crew, and clients by user."""
    made = json.loads(acl("--json").stdout)
    server = start_nats(made["accounts"])
    passwords = {user["name"]: user["password"] for user in made["users"]}
    clients = []

    def sign_in(user):
        client = Client(server, user, passwords[user])
        clients.append(client)
        return client

    sign_in.url = server.url
    sign_in.passwords = passwords
    scheduler = sign_in("scheduler")
    for name, subjects in STREAMS.items():
        config = {"name": name, "subjects": subjects, "storage": "file", "allow_direct": True}
        answer = scheduler.ask(f"$JS.API.STREAM.CREATE.{name}", config)
        assert "error" not in answer, answer
    yield sign_in
    for client in clients:
        client.__exit__()


def create(client, crew, filtered):
    """Asks for the consumer of a crew, with a filter in the subject."""
    subject = f"live.*.slice.*.{filtered}.ready"
    config = {"durable_name": f"run-{crew}", "name": f"run-{crew}", "ack_policy": "explicit"}
    body = {"stream_name": "LIVE_RUNS", "config": {**config, "filter_subject": subject}}
    return client.ask(f"{READY.format(verb='CREATE', crew=crew)}.{subject}", body)


class TestFile:
    def test_passwords_are_made_and_shown_once(self, acl):
        first, second = acl(), acl()
        found = [re.findall(r'password: "(.*?)"', told.stdout) for told in (first, second)]
        assert len(set(found[0] + found[1])) == 2 * len(USERS)
        assert all(len(password) >= 32 for password in found[0])
        assert "shown this once" in first.stderr
        assert "passwords are plain" in first.stderr

    def test_passwords_may_be_given(self, acl, tmp_path):
        bcrypt = "$2a$11$" + "a" * 53
        file = tmp_path / "passwords.yaml"
        file.write_text("".join(f"{user}: {bcrypt}\n" for user in USERS))
        told = acl("--passwords", str(file))
        assert told.stdout.count(bcrypt) == len(USERS)
        assert told.stderr == ""
        file.write_text("nobody: x\n")
        told = acl("--passwords", str(file))
        assert told.exit_code == 1
        assert "password of `nobody`, which is no user; there are `scheduler`" in told.stderr
        file.write_text("producer: 12\n")
        assert "`producer` has no password" in acl("--passwords", str(file)).stderr

    def test_the_users_are_those_of_the_crews(self, acl):
        made = json.loads(acl("--json").stdout)
        assert [user["name"] for user in made["users"]] == USERS


class TestUsers:
    def test_each_may_connect_as_live_crew_does(self, sign_in):
        for user, password in sign_in.passwords.items():
            address = {"url": [sign_in.url], "user": user, "password": password}
            found = check_server(address)
            seen = {"scheduler": len(STREAMS), "producer": 0}.get(user, 1)
            assert len(found["streams"]) == seen, user

    def test_a_runner_takes_the_runs_of_its_crew_and_answers_them(self, sign_in):
        scheduler, alpha = sign_in("scheduler"), sign_in("runner-alpha")
        assert "error" not in create(alpha, "alpha", "alpha")
        assert "error" not in alpha.ask(READY.format(verb="INFO", crew="alpha"))
        assert scheduler.may_publish("live.s.slice.1.beta.ready", "not yours")
        assert scheduler.may_publish("live.s.slice.1.alpha.ready", "yours")
        alpha.may_publish(READY.format(verb="MSG.NEXT", crew="alpha"), "1", alpha._inbox)
        ack, said = alpha.hear()
        assert said == "yours"
        assert alpha.may_publish(ack, "+ACK")
        answer = alpha.ask("live.s.slice.1.alpha.done", {})
        assert answer["stream"] == "LIVE_RUNS"

    def test_a_runner_asks_for_the_answers_of_its_crew_alone(self, sign_in):
        scheduler, alpha = sign_in("scheduler"), sign_in("runner-alpha")
        other = "live.s.slice.1.beta.done"
        for subject, answer in ((OWN_DONE, "mine"), (other, "another's"), (OWN_DONE, "mine again")):
            assert "error" not in scheduler.ask(subject, answer)

        def told(subject, question=None):
            said = "" if question is None else json.dumps(question)
            asked = f"$JS.API.DIRECT.GET.LIVE_RUNS.{subject}"
            assert alpha.may_publish(asked, said, alpha._inbox), subject
            return alpha.hear()[1]

        assert told(OWN_DONE) == '"mine again"'
        assert told("live.s.slice.2.alpha.done") == ""
        assert told("live.*.slice.*.alpha.done") == '"mine again"'
        # The subject alone says what is asked for.
        for question in (
            {"seq": 2},
            {"last_by_subj": other},
            {"next_by_subj": other, "seq": 1},
            {"multi_last": ["live.>"]},
        ):
            assert told(OWN_DONE, question) == ""
        for subject in (other, "live.s.slice.1.*.done", "live.>", ">", "live.s.slice.1.beta.ready"):
            assert not alpha.may_publish(f"$JS.API.DIRECT.GET.LIVE_RUNS.{subject}"), subject

    def test_a_runner_can_neither_read_nor_write_what_is_anothers(self, sign_in):
        alpha, beta = sign_in("runner-alpha"), sign_in("runner-beta")
        assert "error" not in create(beta, "beta", "beta")
        # A consumer of its own name, for the runs of another: in the subject, in the body alone.
        other = "live.*.slice.*.beta.ready"
        body = {"stream_name": "LIVE_RUNS", "config": {"name": "run-alpha"}}
        body["config"] |= {"durable_name": "run-alpha", "filter_subject": other}
        body["config"]["ack_policy"] = "explicit"
        own = "$JS.API.CONSUMER.CREATE.LIVE_RUNS.run-alpha.live.*.slice.*.alpha.ready"
        assert alpha.ask(own, body)["error"]["code"] == 400
        body["config"].pop("filter_subject")
        body["config"]["filter_subjects"] = [other]
        assert "error" in alpha.ask(own, body)
        for subject in (
            f"$JS.API.CONSUMER.CREATE.LIVE_RUNS.run-alpha.{other}",
            "$JS.API.CONSUMER.CREATE.LIVE_RUNS.run-alpha",
            "$JS.API.CONSUMER.CREATE.LIVE_RUNS",
            "$JS.API.CONSUMER.DURABLE.CREATE.LIVE_RUNS.run-alpha",
            READY.format(verb="MSG.NEXT", crew="beta"),
            READY.format(verb="INFO", crew="beta"),
            READY.format(verb="DELETE", crew="beta"),
            READY.format(verb="DELETE", crew="alpha"),
            "$JS.ACK.LIVE_RUNS.run-beta.1.1.1.1.0",
            "$JS.API.STREAM.MSG.GET.LIVE_RUNS",
            "$JS.API.DIRECT.GET.LIVE_RUNS",
            "$JS.API.DIRECT.GET.LIVE_RUNS.live.s.slice.1.beta.ready",
            "$JS.API.DIRECT.GET.LIVE_RUNS.live.s.slice.1.alpha.ready",
            "$JS.API.STREAM.INFO.LIVE_LOG",
            "$JS.API.STREAM.LIST",
            "$JS.API.STREAM.PURGE.LIVE_RUNS",
            "live.s.slice.1.beta.done",
            "live.s.slice.1.alpha.ready",
            "live.s.events",
            "live.s.actions",
            "live.s.errors",
            "live.s.journal",
            "live.shard.1.term",
            "$KV.live_ctx.s.score",
            "$KV.live_lease.1",
        ):
            assert not alpha.may_publish(subject), subject
        for subject in (
            "live.>",
            ">",
            "live.s.actions",
            "_INBOX.>",
            "_INBOX_runner-beta.>",
            "$JS.>",
        ):
            assert not alpha.may_listen(subject), subject

    def test_a_producer_sends_events_and_nothing_else(self, sign_in):
        producer = sign_in("producer")
        assert producer.ask("live.s.events", {"kind": "goal"})["stream"] == "LIVE_EVENTS"
        for subject in (
            "live.s.actions",
            "live.s.journal",
            "live.s.snapshots",
            "live.shard.1.term",
            "live.s.slice.1.alpha.ready",
            "live.s.slice.1.alpha.done",
            "live.s.dlq",
            "$KV.live_ctx.s.score",
            "$JS.API.STREAM.MSG.GET.LIVE_EVENTS",
            "$JS.API.CONSUMER.CREATE.LIVE_EVENTS.x",
        ):
            assert not producer.may_publish(subject), subject
        for subject in ("live.>", "live.s.events", "live.s.actions", "_INBOX_reader.>"):
            assert not producer.may_listen(subject), subject

    def test_the_command_sends_events_as_a_producer(self, sign_in, tmp_path, monkeypatch):
        config = tmp_path / "producer.yaml"
        config.write_text(f"transport: {{kind: nats, url: '{sign_in.url}', user: producer}}\n")
        monkeypatch.setenv("LIVE_CREW_TRANSPORT__PASSWORD", sign_in.passwords["producer"])
        sent = CliRunner().invoke(app, ["publish", "-c", str(config), "-k", "goal", "-s", "m1"])
        assert sent.exit_code == 0, sent.output

    def test_a_reader_reads_actions_and_the_context_and_writes_nothing(self, sign_in):
        scheduler, reader = sign_in("scheduler"), sign_in("reader")
        for what in ("actions", "errors", "late", "heartbeats"):
            assert reader.may_listen(f"live.*.{what}")
        assert scheduler.may_publish("live.s.actions", "cheer")
        assert reader.hear()[1] == "cheer"
        # It is answered once it is stored.
        assert scheduler.ask("$KV.live_ctx.s.score", 7)["seq"] == 1
        reader.may_publish("$JS.API.DIRECT.GET.KV_live_ctx.$KV.live_ctx.s.score", "", reader._inbox)
        assert reader.hear()[1] == "7"
        for subject in (
            "live.s.events",
            "live.s.actions",
            "$KV.live_ctx.s.score",
            "$JS.API.STREAM.MSG.GET.LIVE_LOG",
            "$JS.API.DIRECT.GET.KV_live_lease.$KV.live_lease.1",
            "$JS.API.CONSUMER.CREATE.LIVE_LOG.x",
        ):
            assert not reader.may_publish(subject), subject
        for subject in ("live.s.journal", "live.s.events", "live.>", "_INBOX_producer.>"):
            assert not reader.may_listen(subject), subject

    def test_an_answer_goes_nowhere_but_home(self, sign_in):
        """Who asks says where the answer goes to, and no server checks whether they may."""
        scheduler, reader = sign_in("scheduler"), sign_in("reader")
        alpha, producer = sign_in("runner-alpha"), sign_in("producer")
        assert reader.may_listen("live.*.actions")
        assert "error" not in create(scheduler, "alpha", "alpha")
        assert scheduler.may_publish("live.s.slice.1.alpha.ready", "yours")
        for target in ("live.s.actions", "live.s.journal", "live.s.slice.1.beta.done"):
            for client, question in (
                (alpha, "$JS.API.INFO"),
                (alpha, READY.format(verb="INFO", crew="alpha")),
                (alpha, READY.format(verb="MSG.NEXT", crew="alpha")),
                (alpha, "live.s.slice.1.alpha.done"),
                (producer, "live.s.events"),
            ):
                assert client.may_publish(question, "", target)
        # What came after all of that is the first thing that is there.
        assert scheduler.may_publish("live.s.actions", "first")
        assert reader.hear()[1] == "first"
        for stream, held in (("LIVE_LOG", 1), ("LIVE_RUNS", 1 + 3)):
            found = scheduler.ask(f"$JS.API.STREAM.INFO.{stream}")
            assert found["state"]["messages"] == held, found
        # A consumer that pulls stays one, so that nothing is sent where nobody asked.
        config = {"durable_name": "run-alpha", "name": "run-alpha", "ack_policy": "explicit"}
        config |= {"filter_subject": OWN, "deliver_subject": "live.s.actions"}
        body = {"stream_name": "LIVE_RUNS", "config": config}
        subject = f"{READY.format(verb='CREATE', crew='alpha')}.{OWN}"
        assert "push" in alpha.ask(subject, body)["error"]["description"]

    def test_a_scheduler_removes_no_stream(self, sign_in):
        scheduler = sign_in("scheduler")
        for stream in STREAMS:
            assert not scheduler.may_publish(f"$JS.API.STREAM.DELETE.{stream}")
        assert not scheduler.may_publish("$JS.API.STREAM.CREATE.OTHER")
        assert not scheduler.may_listen("live.>")


async def alpha(event):
    return {"kind": "alpha", "payload": event.payload["n"]}


async def beta(event):
    return {"kind": "beta", "payload": event.payload["n"]}


async def test_hosts_that_sign_in_as_these_users_do_their_part(acl, start_nats):
    made = json.loads(acl("--json").stdout)
    server = start_nats(made["accounts"])
    passwords = {user["name"]: user["password"] for user in made["users"]}

    def host(user, role):
        signs_in = {"role": role, "user": user, "password": passwords[user]}
        made = Orchestrator(config=config_of(server, transport=signs_in))
        for handler in (alpha, beta):
            made.register_handler(handler, "goal")
        return made

    def outside(user):
        inbox = f"_INBOX_{user}".encode()
        return nats.connect(server.url, user=user, password=passwords[user], inbox_prefix=inbox)

    scheduler = host("scheduler", "scheduler")
    runners = [host(f"runner-{crew}", "runner") for crew in ("alpha", "beta")]
    await scheduler.start()
    try:
        async with live(runners[0], "s", {"alpha"}), live(runners[1], "s", {"beta"}):
            reader, producer = await outside("reader"), await outside("producer")
            actions = await reader.subscribe("live.s.actions")
            await reader.flush()
            await Outside(producer, "s").goals(*range(5))
            heard = [json.loads((await actions.next_msg(timeout=60)).data) for _ in range(10)]
            assert Counter(one["kind"] for one in heard) == {"alpha": 5, "beta": 5}
            await producer.close()
            await reader.close()
    finally:
        await scheduler.stop()
