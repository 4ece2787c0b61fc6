"""`live-crew process`."""

import json
import signal

import pytest

from .conftest import CONFIG, EVENTS, signup, spawn

BROKEN = """\
from live_crew import event_handler

@event_handler("signup")
def picky(event):
    if event.payload["name"] == "Grace":
        raise ValueError("not Grace")
"""


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_actions_are_lines_of_json_and_the_summary_is_on_standard_error(folder, command):
    told = command("process", "events.jsonl")
    assert told.exit_code == 0
    payloads = [(action["kind"], action["payload"]) for action in lines(told.stdout)]
    assert payloads == [
        ("account", "Ada"),
        ("account", "Grace"),
        ("report", 2),
        ("report", 2),
        ("account", "Edsger"),
        ("report", 3),
    ]
    assert told.stderr.startswith("done: 3 events, 6 runs, 6 actions in ")


def test_the_same_file_gives_the_same_bytes_again(folder, command):
    first, second = (command("process", "events.jsonl").stdout for _ in range(2))
    assert first == second


def test_actions_go_to_a_file_and_replace_what_was_in_it(folder, command):
    command("process", "events.jsonl", "-o", "out/actions.jsonl")
    told = command("process", "events.jsonl", "-o", "out/actions.jsonl")
    assert told.stdout == ""
    assert len(lines((folder / "out" / "actions.jsonl").read_text())) == 6


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (CONFIG, ["nowhere.jsonl"]),
        (CONFIG, ["events.jsonl", "--handlers", "nowhere"]),
        (CONFIG, ["events.jsonl", "-j", "crews.py"]),
        (CONFIG.replace("accounts, offset", "nobody, offset"), ["events.jsonl"]),
    ],
)
def test_the_last_output_stays_when_nothing_can_run(folder, command, config, arguments):
    (folder / "actions.jsonl").write_text("the last good one")
    (folder / "live_crew_config.yaml").write_text(config)
    assert command("process", *arguments, "-o", "actions.jsonl").exit_code == 1
    assert (folder / "actions.jsonl").read_text() == "the last good one"


def test_a_run_without_actions_leaves_an_empty_file(folder, command):
    (folder / "actions.jsonl").write_text("the last one")
    (folder / "events.jsonl").write_text("")
    assert command("process", "events.jsonl", "-o", "actions.jsonl").exit_code == 0
    assert (folder / "actions.jsonl").read_text() == ""


def test_standard_output_by_its_path_is_not_emptied(folder):
    with (folder / "all.log").open("a") as log:
        log.write("before\n")
        log.flush()
        spawn("process", "events.jsonl", "-o", "/dev/stdout", stdout=log).communicate()
    assert len((folder / "all.log").read_text().splitlines()) == 7


def test_json_is_one_document_with_everything(folder, command):
    told = command("process", "events.jsonl", "--json")
    document = json.loads(told.stdout)
    assert (document["ok"], document["events_processed"]) == (True, 3)
    assert len(document["actions"]) == 6
    assert document["context"] == {"shop": {"accounts": 3}}
    assert told.stderr == ""


def test_handlers_of_a_module_need_no_configuration(folder, command):
    (folder / "live_crew_config.yaml").unlink()
    (folder / "mine.py").write_text(BROKEN.replace('"Grace"', '"Nobody"'))
    assert command("process", "events.jsonl", "--handlers", "mine").exit_code == 0
    assert command("process", "events.jsonl", "--handlers", "mine:picky").exit_code == 0


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("./crews.py", "crews"),
        ("crews.py", "crews"),
        ("crews.py:accounts", "crews:accounts"),
        ("sub/more.py", "sub.more"),
        ("../more.py", "more"),
        (":accounts", "crews:accounts"),
    ],
)
def test_a_path_of_handlers_gets_the_module_that_was_meant(folder, command, given, meant):
    told = command("process", "events.jsonl", "--handlers", given)
    assert told.exit_code == 1
    assert told.stderr == (
        f"error: `--handlers {given}` names no module; give its name: `--handlers {meant}`\n"
    )


def test_an_error_as_a_document_has_what_there_is_to_know(folder, command):
    (folder / "mine.py").write_text(BROKEN)
    told = command("process", "events.jsonl", "--handlers", "mine", "--json")
    (error,) = json.loads(told.stdout)["errors"]
    assert error["attempts"] == 1
    assert error["timestamp"].startswith("2026-01-01T12:00:00")
    assert error["suggestions"][0] == "LIVE_CREW_TRACEBACK=1 shows the traceback"


def test_a_crew_that_fails_is_told_with_its_place_and_makes_the_command_fail(folder, command):
    (folder / "mine.py").write_text(BROKEN)
    told = command("process", "events.jsonl", "--handlers", "mine")
    assert told.exit_code == 1
    assert (
        "failed: crew `picky`, stream `shop`, slice 0: error: ValueError: not Grace" in told.stderr
    )
    assert "  at mine.py:6, in picky" in told.stderr
    assert "LIVE_CREW_TRACEBACK=1 shows the traceback" in told.stderr
    assert "Traceback" not in told.stderr
    assert "1 error" in told.stderr.splitlines()[-1]


def test_the_traceback_of_a_crew_is_shown_when_asked_for(folder, command):
    (folder / "mine.py").write_text(BROKEN)
    asked = {"LIVE_CREW_TRACEBACK": "1"}
    told = command("process", "events.jsonl", "--handlers", "mine", env=asked)
    assert 'raise ValueError("not Grace")' in told.stderr


def test_refused_input_is_told_with_line_and_column_and_makes_the_command_fail(folder, command):
    with (folder / "events.jsonl").open("a") as file:
        file.write("nope\n")
    told = command("process", "events.jsonl")
    assert told.exit_code == 1
    assert "refused: events.jsonl:4:2: expected" in told.stderr
    assert "6 actions, 1 refused" in told.stderr


def test_a_run_that_waits_in_vain_says_what_it_missed(folder, command):
    (folder / "events.jsonl").write_text(signup("12:00:00", "Ada"))
    config = (folder / "live_crew_config.yaml").read_text()
    (folder / "live_crew_config.yaml").write_text(config.replace("offset: -1", "offset: 5"))
    told = command("process", "events.jsonl")
    assert told.exit_code == 1
    assert "unsatisfied" in told.stderr
    assert "needs accounts@5: missing" in told.stderr


def test_standard_input_is_a_file_too(folder):
    process = spawn("process", "-")
    out, err = process.communicate("".join(signup(*event) for event in EVENTS), timeout=30)
    assert (len(lines(out)), process.returncode) == (6, 0), err


def test_a_reader_that_has_enough_ends_the_command_without_a_word(folder):
    many = "".join(signup(f"12:{i // 60:02}:{i % 60:02}", "Ada") for i in range(3_000))
    (folder / "events.jsonl").write_text(many)
    process = spawn("process", "events.jsonl")
    assert process.stdout.readline().startswith("{")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.stdin.close()
    assert process.wait(30) == 141


def test_an_interrupt_ends_it_with_130(folder):
    (folder / "mine.py").write_text(
        "import sys, threading\nfrom live_crew import event_handler\n"
        "@event_handler('signup')\nasync def slow(event):\n"
        "    import asyncio\n    print('begun', file=sys.stderr, flush=True)\n"
        "    await asyncio.sleep(600)\n"
    )
    process = spawn("process", "events.jsonl", "--handlers", "mine")
    assert process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"


def test_a_file_that_is_not_there_is_named_and_the_last_journal_stays(folder, command):
    command("process", "events.jsonl")
    told = command("process", "event.jsonl")
    assert told.exit_code == 1
    assert told.stderr == "error: `event.jsonl` is not there; check the path\n"
    assert command("replay").exit_code == 0


def test_a_folder_is_no_file_of_events(folder, command):
    assert "`.` is a directory; name a file of events in it" in command("process", ".").stderr


def test_without_crews_it_says_where_they_come_from(empty, command):
    (empty / "events.jsonl").write_text("")
    told = command("process", "events.jsonl")
    assert told.exit_code == 1
    assert "there are no crews; list some under `crews:`" in told.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "cannot import `nowhere`: No module named 'nowhere'"),
        ("mine:pickey", "`mine` has no `pickey`; did you mean `picky`?"),
        ("mine:event_handler", "`mine:event_handler` is no handler; decorate it"),
        ("json", "`json` has no handlers; decorate one"),
    ],
)
def test_handlers_that_cannot_be_found_are_told_apart(folder, command, name, said):
    (folder / "mine.py").write_text(BROKEN)
    told = command("process", "events.jsonl", "--handlers", name)
    assert told.exit_code == 1
    assert said in told.stderr


def test_what_is_wrong_with_crews_has_its_place_here_too(folder, command):
    config = (folder / "live_crew_config.yaml").read_text()
    (folder / "live_crew_config.yaml").write_text(config.replace("crews:report", "crews:rapport"))
    told = command("process", "events.jsonl")
    assert "live_crew_config.yaml:4:13: crews[1].python:" in told.stderr
    assert "did you mean `report`?" in told.stderr


def test_a_bug_of_a_handler_module_is_one_line_with_its_place(folder, command):
    (folder / "mine.py").write_text("x = 1\nx / 0\n")
    told = command("process", "events.jsonl", "--handlers", "mine")
    assert told.exit_code == 1
    assert "error: ZeroDivisionError: division by zero (mine.py:2)\n" in told.stderr


class TestJournal:
    def test_without_a_name_each_run_has_a_new_one_and_the_last_is_kept(self, folder, command):
        command("process", "events.jsonl")
        (folder / "events.jsonl").write_text(signup("12:00:00", "Ada"))
        command("process", "events.jsonl")
        told = command("diff", ".live_crew/journal.prev.db", ".live_crew/journal.db")
        assert told.exit_code == 1
        assert command("replay").exit_code == 0

    def test_a_named_one_is_gone_on_with_and_that_is_said(self, folder, command):
        first = command("process", "events.jsonl", "-j", "keep.db")
        assert "going on" not in first.stderr
        again = command("process", "events.jsonl", "-j", "keep.db")
        assert "going on with journal `keep.db`" in again.stderr
        assert (again.stdout, again.exit_code) == ("", 0)
        told = "done: journal holds 3 events, 6 runs; 0 new actions in "
        assert again.stderr.splitlines()[-1].startswith(told)

    def test_a_stream_that_has_ended_takes_no_more(self, folder, command):
        command("process", "events.jsonl", "-j", "keep.db")
        with (folder / "events.jsonl").open("a") as file:
            file.write(signup("12:00:09", "Barbara"))
        told = command("process", "events.jsonl", "-j", "keep.db")
        assert told.exit_code == 1
        assert "stream `shop` has ended in this journal" in told.stderr
        assert "begin a new journal" in told.stderr

    def test_one_of_other_crews_is_not_gone_on_with(self, folder, command):
        command("process", "events.jsonl", "-j", "keep.db")
        selected = {"LIVE_CREW_SELECTOR": "accounts"}
        told = command("process", "events.jsonl", "-j", "keep.db", env=selected)
        assert told.exit_code == 1
        assert "was written with another plan" in told.stderr

    def test_one_that_is_being_written_is_left_alone(self, folder, command):
        process = spawn("run")
        process.stdin.write("nope\n")
        process.stdin.flush()
        assert process.stderr.readline().startswith("refused:")
        told = command("process", "events.jsonl")
        process.communicate(timeout=30)
        assert told.exit_code == 1
        assert "is being written by another process" in told.stderr

    def test_a_stream_that_stopped_is_told(self, folder, command):
        (folder / "live_crew_config.yaml").write_text(
            f"late_policy: fail\nlateness_ms: 0\n{CONFIG}"
        )
        with (folder / "events.jsonl").open("a") as file:
            file.write(signup("12:00:01", "Barbara"))
        told = command("process", "events.jsonl")
        assert told.exit_code == 1
        assert "failed: stream `shop`: event of kind `signup` came 3 slices late" in told.stderr
        assert json.loads(command("process", "events.jsonl", "--json").stdout)["failed"]


class TestSelector:
    def run(self, command, pattern):
        return command("process", "events.jsonl", env={"LIVE_CREW_SELECTOR": pattern})

    def test_only_crews_that_match_run(self, folder, command):
        told = self.run(command, "(accounts|other)")
        assert {action["kind"] for action in lines(told.stdout)} == {"account"}

    def test_a_crew_that_is_needed_cannot_be_left_out(self, folder, command):
        told = self.run(command, "report")
        assert told.exit_code == 1
        assert "leaves out `accounts`, which `report` needs" in told.stderr
        assert "LIVE_CREW_SELECTOR='(accounts|report)'" in told.stderr

    def test_a_pattern_that_matches_nothing_is_told(self, folder, command):
        assert "matches no crew; there are `accounts`, `report`" in self.run(command, "x").stderr

    def test_a_pattern_that_is_none_is_told(self, folder, command):
        assert "`(` is no pattern" in self.run(command, "(").stderr


@pytest.mark.parametrize("output", ["events.jsonl", "link.jsonl", "./events.jsonl"])
def test_the_file_that_is_read_is_never_written(folder, command, output):
    (folder / "link.jsonl").symlink_to("events.jsonl")
    before = (folder / "events.jsonl").read_text()
    told = command("process", "events.jsonl", "-o", output)
    assert told.exit_code == 2
    assert "is where the events are read; name another file" in told.stderr
    assert (folder / "events.jsonl").read_text() == before
    assert not (folder / ".live_crew").exists()


def test_standard_input_out_of_the_file_of_actions_is_refused(folder):
    before = (folder / "events.jsonl").read_text()
    with (folder / "events.jsonl").open() as events:
        process = spawn("process", "-", "-o", "events.jsonl", stdin=events)
        assert process.communicate()[1].endswith("name another file\n")
    assert (folder / "events.jsonl").read_text() == before


def test_a_device_may_be_read_and_written(folder, command):
    assert command("process", "/dev/null", "-o", "/dev/null").exit_code == 0
