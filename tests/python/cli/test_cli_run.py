"""`live-crew run` and `live-crew publish`: live, in processes of their own."""

import json
import re
import signal
from datetime import datetime, timezone

import pytest

from .conftest import spawn


def live(name, stream="shop"):
    """A line of an event that happens now."""
    now = datetime.now(timezone.utc).isoformat()
    event = {"ts": now, "kind": "signup", "stream_id": stream, "payload": {"name": name}}
    return json.dumps(event) + "\n"


def write(process, text):
    process.stdin.write(text)
    process.stdin.flush()


def action(process):
    return json.loads(process.stdout.readline())


class TestStandardInput:
    def test_actions_come_while_the_input_is_open(self, folder):
        process = spawn("run")
        write(process, live("Ada"))
        assert action(process)["payload"] == "Ada"
        out, err = process.communicate(timeout=30)
        assert json.loads(out)["kind"] == "report"
        assert process.returncode == 0
        assert err.startswith("done: 1 event, 2 runs, 2 actions in ")

    def test_a_line_that_is_no_event_is_told_at_once_and_the_rest_counts(self, folder):
        process = spawn("run")
        write(process, '\n{"ts": 1}\n' + live("Ada"))
        assert process.stderr.readline() == (
            "refused: stdin:2:8: field `ts` is `1`; write a string\n"
        )
        assert action(process)["payload"] == "Ada"
        process.communicate(timeout=30)
        assert process.returncode == 1

    def test_an_event_that_is_far_too_old_is_refused(self, folder):
        process = spawn("run")
        _, err = process.communicate((folder / "events.jsonl").read_text(), timeout=30)
        assert process.returncode == 1
        assert err.count("is further back than 30 days") == 3

    def test_only_the_stream_that_is_asked_for_is_taken(self, folder):
        process = spawn("run", "-s", "shop")
        out, err = process.communicate(live("Ada", "other") + live("Bob"), timeout=30)
        assert {json.loads(line)["stream_id"] for line in out.splitlines()} == {"shop"}
        assert process.returncode == 0, err

    def test_the_last_line_needs_no_end(self, folder):
        process = spawn("run")
        out, _ = process.communicate(live("Ada").strip(), timeout=30)
        assert json.loads(out.splitlines()[0])["payload"] == "Ada"

    def test_json_is_one_document_at_the_end(self, folder):
        process = spawn("run", "--json")
        out, err = process.communicate(live("Ada"), timeout=30)
        document = json.loads(out)
        assert (document["ok"], len(document["actions"]), err) == (True, 2, "")

    def test_actions_are_appended_to_a_file(self, folder):
        for name in ("Ada", "Bob"):
            process = spawn("run", "-o", "actions.jsonl")
            out, _ = process.communicate(live(name), timeout=30)
            assert out == ""
        lines = (folder / "actions.jsonl").read_text().splitlines()
        kinds = [json.loads(line)["kind"] for line in lines]
        assert kinds == ["account", "report"] * 2

    def test_a_crew_that_fails_is_told_while_the_run_goes_on(self, folder):
        (folder / "mine.py").write_text(
            "from live_crew import event_handler\n"
            "@event_handler('signup')\ndef boom(event):\n    raise ValueError('no')\n"
        )
        process = spawn("run", "--handlers", "mine")
        write(process, live("Ada"))
        assert re.match(
            r"failed: crew `boom`, stream `shop`, slice \d+: error: ValueError: no$",
            process.stderr.readline(),
        )
        process.communicate(timeout=30)
        assert process.returncode == 1

    def test_a_reader_that_is_gone_ends_it_without_a_word(self, folder):
        process = spawn("run")
        process.stdout.close()
        write(process, live("Ada"))
        assert process.stderr.read() == ""
        process.stderr.close()
        process.stdin.close()
        assert process.wait(30) == 141


class TestInterrupt:
    SLOW = (
        "import asyncio, sys\nfrom live_crew import event_handler\n"
        "@event_handler('signup')\nasync def slow(event):\n"
        "    print('begun', file=sys.stderr, flush=True)\n"
        "    await asyncio.sleep(600)\n"
    )

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_first_one_finishes_what_is_under_way(self, folder, number):
        process = spawn("run")
        write(process, live("Ada"))
        assert action(process)["payload"] == "Ada"
        write(process, live("Bob"))
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        said = err.splitlines()
        assert said[0] == "finishing what is under way; Ctrl-C again to leave it"
        assert said[1].startswith("drained: ")

    def test_a_second_one_leaves_what_is_under_way(self, folder):
        (folder / "live_crew_config.yaml").unlink()
        (folder / "mine.py").write_text(self.SLOW)
        process = spawn("run", "--handlers", "mine")
        write(process, live("Ada"))
        assert process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("finishing")
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "leaving\n"
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "aborted: 1 event" in err


class TestFile:
    @pytest.fixture
    def followed(self, folder):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("transport: {kind: file, path: in/events.jsonl}\njournal: keep.db\n")
        return folder / "in" / "events.jsonl"

    def append(self, path, text):
        with path.open("a") as file:
            file.write(text)

    def end(self, process):
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=30)

    def test_actions_never_go_to_the_file_that_is_followed(self, followed, command):
        followed.parent.mkdir()
        before = live("Ada")
        self.append(followed, before)
        told = command("run", "-o", "in/events.jsonl")
        assert (told.exit_code, told.stdout) == (2, "")
        assert "is where the events are read; name another file" in told.stderr
        assert followed.read_text() == before

    def test_a_file_is_followed_as_it_grows(self, followed, command):
        told = command("publish", "-k", "signup", "-s", "shop", "-p", '{"name": "Ada"}')
        assert told.stderr == "appended 1 event to in/events.jsonl\n"
        process = spawn("run")
        assert action(process)["payload"] == "Ada"
        self.append(followed, live("Bob"))
        payloads = [action(process)["payload"] for _ in range(2)]
        assert "Bob" in payloads
        self.end(process)

    def test_a_bad_line_has_the_name_and_the_place_of_the_file(self, followed):
        followed.parent.mkdir()
        self.append(followed, live("Ada") + "nope\n")
        process = spawn("run")
        assert process.stderr.readline().startswith("refused: in/events.jsonl:2:2: ")
        self.end(process)
        assert process.returncode == 1

    def test_after_a_restart_it_goes_on_where_it_was(self, followed):
        followed.parent.mkdir()
        self.append(followed, live("Ada"))
        process = spawn("run")
        assert action(process)["payload"] == "Ada"
        self.end(process)
        self.append(followed, live("Bob"))
        process = spawn("run")
        assert "going on with journal `keep.db`" in process.stderr.readline()
        said = []
        while "Bob" not in said:
            said.append(action(process)["payload"])
        assert "Ada" not in said
        self.end(process)

    def test_other_streams_are_passed_over_and_places_stay_what_they_are(self, followed):
        followed.parent.mkdir()
        self.append(followed, live("Ada", "other") + live("Bob") + "nope\n")
        process = spawn("run", "-s", "shop")
        assert action(process)["payload"] == "Bob"
        assert process.stderr.readline().startswith("refused: in/events.jsonl:3:2: ")
        self.end(process)

    def test_actions_may_have_a_file_in_the_configuration(self, folder, followed):
        text = (folder / "live_crew_config.yaml").read_text()
        text = text.replace("in/events.jsonl}", "in/events.jsonl, actions: actions.jsonl}")
        (folder / "live_crew_config.yaml").write_text(text)
        followed.parent.mkdir()
        self.append(followed, live("Ada") + "nope\n")
        process = spawn("run")
        assert process.stderr.readline().startswith("refused:")
        out, _ = self.end(process)
        assert out == ""
        assert "Ada" in (folder / "actions.jsonl").read_text()


@pytest.mark.parametrize("transport", ["memory", "{kind: nats, url: 'nats://127.0.0.1:1'}"])
def test_what_is_no_name_of_a_stream_is_wrong_usage(folder, command, transport):
    with (folder / "live_crew_config.yaml").open("a") as file:
        file.write(f"transport: {transport}\n")
    told = command("run", "-s", "a b", input="")
    assert told.exit_code == 2
    assert told.stderr.count("\n") == 1
    assert "error: stream_id `a b` is not allowed: 1 to 100 of A-Z a-z 0-9 _ -" in told.stderr
    assert not (folder / ".live_crew").exists()


def test_journals_on_nats_are_kept_there_and_nowhere_else(folder, command):
    with (folder / "live_crew_config.yaml").open("a") as file:
        file.write("transport: nats\n")
    told = command("run", "-j", "here.db")
    assert told.exit_code == 1
    assert "journals of streams on NATS are kept there; leave out `-j`" in told.stderr


def test_a_journal_of_the_configuration_is_not_written_on_nats_and_that_is_said(folder, command):
    with (folder / "live_crew_config.yaml").open("a") as file:
        file.write("transport: {kind: nats, url: 'nats://127.0.0.1:1'}\njournal: {path: here.db}\n")
    said = "are kept there; `journal: {path: here.db}` is not written"
    told = command("validate")
    assert (told.exit_code, told.stdout) == (0, "ok: 2 crews: `accounts`, `report`\n")
    assert told.stderr.count(said) == 1
    told = command("process", "events.jsonl")
    assert told.stderr.count(said) == 1
    assert not (folder / "here.db").exists()


def test_without_a_server_it_is_said_which_one_was_looked_for(folder, command):
    with (folder / "live_crew_config.yaml").open("a") as file:
        file.write("transport: {kind: nats, url: 'nats://127.0.0.1:1'}\n")
    told = command("publish", "-k", "goal")
    assert told.exit_code == 1
    assert "nats://127.0.0.1:1" in told.stderr


class TestPublish:
    def test_one_event_is_made_of_options(self, folder, command):
        told = command("publish", "-k", "goal", "-s", "match42", "-p", '{"team": "home"}')
        event = json.loads(told.stdout)
        assert (event["kind"], event["stream_id"]) == ("goal", "match42")
        assert event["payload"] == {"team": "home"}
        assert event["ts"].endswith("Z")

    def test_events_of_a_file_are_checked_and_written_as_lines(self, folder, command):
        told = command("publish", "events.jsonl")
        assert len(told.stdout.splitlines()) == 3

    def test_nothing_is_written_if_one_event_is_wrong(self, folder, command):
        with (folder / "events.jsonl").open("a") as file:
            file.write("nope\n")
        told = command("publish", "events.jsonl", "-o", "out.jsonl")
        assert told.exit_code == 1
        assert "line 4, column 2" in told.stderr
        assert not (folder / "out.jsonl").exists()

    def test_json_is_one_document(self, folder, command):
        document = json.loads(command("publish", "events.jsonl", "--json").stdout)
        assert (len(document["events"]), document["file"]) == (3, None)

    @pytest.mark.parametrize(
        ("args", "code", "said"),
        [
            ([], 2, "give either `--kind`, for one event, or a file of events"),
            (["-k", "goal", "events.jsonl"], 2, "give either `--kind`"),
            (["-k", "goal", "-p", "home"], 2, "`--payload home` is no JSON"),
            (["-k", "goal", "-p", "NaN"], 2, "`NaN` is no JSON value"),
            (["-k", "a goal"], 2, "kind `a goal` is not allowed"),
            (["-k", "goal", "-s", "a b"], 2, "stream_id `a b` is not allowed: 1 to 100 of "),
            (["nowhere.jsonl"], 1, "nowhere.jsonl"),
        ],
    )
    def test_what_is_no_event_is_told(self, folder, command, args, code, said):
        told = command("publish", *args)
        assert told.exit_code == code
        assert said in told.stderr
        assert told.stdout == ""
