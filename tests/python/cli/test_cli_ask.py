"""What journals are asked: `replay`, `diff`, `explain`, `context`."""

import json
import sqlite3

import pytest

from .conftest import signup


@pytest.fixture
def journaled(folder, command):
    """A folder whose crews ran once."""
    assert command("process", "events.jsonl").exit_code == 0
    return folder


def add_stream(folder, command):
    """Runs again, with a second stream."""
    with (folder / "events.jsonl").open("a") as file:
        file.write(signup("12:00:00", "Ada").replace("shop", "market"))
    command("process", "events.jsonl")


class TestReplay:
    def test_a_journal_verifies(self, journaled, command):
        told = command("replay")
        assert told.exit_code == 0
        assert told.stdout.startswith("shop: verified, up to slice ")

    def test_json_has_the_chain_of_digests(self, journaled, command):
        document = json.loads(command("replay", ".live_crew/journal.db", "--json").stdout)
        (stream,) = document["streams"]
        assert document["ok"]
        assert stream["digests"][-1]["digest"] == stream["digest"]
        assert len(stream["digests"]) == stream["commits"]

    def test_every_stream_is_verified_or_the_one_that_is_asked_for(self, journaled, command):
        add_stream(journaled, command)
        assert len(command("replay").stdout.splitlines()) == 2
        assert command("replay", "-s", "market").stdout.startswith("market: verified")

    def test_a_damaged_journal_makes_it_fail(self, journaled, command):
        with sqlite3.connect(journaled / ".live_crew" / "journal.db") as db:
            db.execute("UPDATE frames SET body = zeroblob(length(body)) WHERE records > 1")
        db.close()
        told = command("replay")
        assert told.exit_code == 1
        assert "damaged" in told.stderr

    @pytest.mark.parametrize("mode", ["reexecute", "live"])
    def test_handlers_run_again_without_traffic(self, mode, journaled, command):
        told = command("replay", "--mode", mode)
        assert told.exit_code == 0, told.stderr
        assert told.stdout.splitlines()[-1].endswith("nothing differs")

    def test_a_mode_that_is_none_is_a_mistake(self, journaled, command):
        told = command("replay", "--mode", "again")
        assert (told.exit_code, "is no mode" in told.stderr) == (2, True)

    def test_a_divergence_has_its_place_and_both_sides(self, journaled, command, monkeypatch):
        # No journal can be made to part on purpose: its checksums notice before.
        found = {
            "frame": 7,
            "slice": 83,
            "crew": "vision",
            "field": "actions",
            "journal": "[1]",
            "fold": "[2]",
        }
        verdict = {
            "stream_id": "shop",
            "commits": 2,
            "records": 9,
            "last_slice": 83,
            "digest": None,
            "divergence": found,
        }

        class Parted:
            path = "journal.db"

            def streams(self):
                return [{"stream_id": "shop"}]

            def verify(self, _stream):
                return verdict

        monkeypatch.setattr("live_crew.cli.replay.open_journal", lambda *_: Parted())
        told = command("replay")
        assert told.exit_code == 1
        assert told.stdout == (
            "shop: parts in slice 83, crew `vision`: actions\n  journal  [1]\n  replay   [2]\n"
        )


class TestDiff:
    def test_two_runs_of_one_file_are_the_same(self, journaled, command):
        command("process", "events.jsonl")
        told = command("diff", ".live_crew/journal.prev.db", ".live_crew/journal.db")
        assert (told.exit_code, told.stdout) == (0, "shop: the same\n")

    def test_the_first_difference_has_its_place_and_both_sides(self, journaled, command):
        events = (journaled / "events.jsonl").read_text()
        (journaled / "events.jsonl").write_text(events.replace("Grace", "Gracia"))
        command("process", "events.jsonl")
        told = command("diff", ".live_crew/journal.prev.db", ".live_crew/journal.db")
        assert told.exit_code == 1
        first, left, right = told.stdout.splitlines()
        assert first.startswith("shop: parts in slice 0")
        assert "Grace" in left
        assert "Gracia" in right

    def test_json_has_the_difference(self, journaled, command):
        add_stream(journaled, command)
        told = command("diff", ".live_crew/journal.prev.db", ".live_crew/journal.db", "--json")
        document = json.loads(told.stdout)
        assert not document["same"]
        by_name = {one["stream_id"]: one["difference"] for one in document["streams"]}
        assert by_name["market"]["left"] == "no such stream"
        assert by_name["shop"] is None

    def test_one_stream_can_be_asked_for(self, journaled, command):
        add_stream(journaled, command)
        both = (".live_crew/journal.prev.db", ".live_crew/journal.db")
        assert command("diff", *both, "-s", "shop").exit_code == 0
        told = command("diff", *both, "-s", "market")
        assert "has no stream `market`; it has `shop`" in told.stderr


class TestExplain:
    def test_it_says_why_a_crew_ran(self, journaled, command):
        told = command("explain", "report@0")
        assert told.exit_code == 0
        assert "accounts@-1 met by slice 0, landed in slice 1" in told.stdout

    def test_it_says_why_a_crew_did_not_run(self, journaled, command):
        assert "the slice has no events" in command("explain", "accounts@2").stdout

    def test_json_is_one_document(self, journaled, command):
        document = json.loads(command("explain", "report@0", "--json").stdout)
        assert (document["stream_id"], document["crew"], document["slice"]) == ("shop", "report", 0)
        assert len(document["runs"]) == 2

    def test_a_crew_that_is_not_there_gets_the_one_that_was_meant(self, journaled, command):
        told = command("explain", "reprot@0")
        assert told.exit_code == 1
        assert "did you mean `report`?" in told.stderr

    @pytest.mark.parametrize("what", ["report", "report@", "@3", "report@x", "a@1@2"])
    def test_what_is_no_crew_and_slice_is_wrong_usage(self, journaled, command, what):
        told = command("explain", what)
        assert told.exit_code == 2
        assert "write `crew@slice`" in told.stderr


class TestContext:
    def test_the_last_slice_is_shown_unless_another_is_asked_for(self, journaled, command):
        assert json.loads(command("context").stdout) == {"accounts": 3}
        assert json.loads(command("context", "--at", "0").stdout) == {"accounts": 2}

    def test_json_says_which_stream_and_slice(self, journaled, command):
        document = json.loads(command("context", "--at", "0", "--json").stdout)
        assert document == {"stream_id": "shop", "slice": 0, "context": {"accounts": 2}}

    def test_blame_lists_every_write(self, journaled, command):
        head, *rows = command("context", "--blame", "accounts").stdout.splitlines()
        assert head.split() == ["slice", "at", "run", "op", "path", "value"]
        assert [row.split()[2] for row in rows] == ["accounts/0.0", "accounts/0.1", "accounts/4.0"]

    def test_blame_can_end_at_a_slice(self, journaled, command):
        told = command("context", "--blame", "accounts", "--at", "0", "--json")
        assert len(json.loads(told.stdout)["writes"]) == 2

    def test_what_nobody_wrote_is_told(self, journaled, command):
        assert command("context", "--blame", "x.y").stdout == "nobody wrote `x.y`\n"

    def test_a_slice_beyond_the_end_is_told(self, journaled, command):
        told = command("context", "--at", "99")
        assert told.exit_code == 1
        assert "slice 99 of stream `shop` is not committed" in told.stderr
        told = command("context", "--at", 10**20)
        assert told.stderr.startswith(f"error: slice {10**20} is beyond any stream")

    def test_what_is_no_path_is_wrong_usage(self, journaled, command):
        assert command("context", "--blame", "a..b").exit_code == 2


@pytest.mark.parametrize("args", [["replay"], ["explain", "report@0"], ["context"]])
class TestWhichJournal:
    def test_that_of_the_configuration_is_asked(self, folder, command, args):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("journal: mine.db\n")
        assert command("process", "events.jsonl").exit_code == 0
        assert command(*args).exit_code == 0
        assert not (folder / ".live_crew").exists()

    def test_one_that_is_not_there_is_told_with_what_makes_one(self, folder, command, args):
        told = command(*args)
        assert told.exit_code == 1
        assert "there is no journal `.live_crew/journal.db`" in told.stderr
        assert "`live-crew process`" in told.stderr

    def test_a_stream_that_is_not_there_gets_the_one_that_was_meant(self, journaled, command, args):
        told = command(*args, "-s", "shpo")
        assert told.exit_code == 1
        assert "has no stream `shpo`; did you mean `shop`?" in told.stderr


@pytest.mark.parametrize("args", [["explain", "report@0"], ["context"]])
def test_several_streams_have_to_be_told_apart(journaled, command, args):
    add_stream(journaled, command)
    told = command(*args)
    assert told.exit_code == 2
    assert "say which with `-s`: `market`, `shop`" in told.stderr


def test_a_folder_is_no_journal(folder, command):
    for told in (command("context", "-j", "."), command("process", "events.jsonl", "-j", ".")):
        assert told.exit_code == 1
        assert "is a folder; name the journal in it, as in `journal.db`" in told.stderr
