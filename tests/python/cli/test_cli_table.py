"""Finding a command, and what it costs."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from live_crew.cli.app import COMMANDS

from .conftest import HOME, spawn

NAMES = [name for group in COMMANDS.values() for name in group]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_is_for(command, name):
    told = command(name, "--help")
    assert told.exit_code == 0
    assert f"Usage: live-crew {name}" in told.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_table_and_the_help_of_a_command_say_the_same(name):
    function = getattr(import_module(f"live_crew.cli.{name}"), name)
    group = next(group for group in COMMANDS.values() if name in group)
    first = " ".join(function.__doc__.split("\n\n")[0].split()).lower()
    words = [word.strip(":,;.") for word in group[name].lower().split()]
    assert first.startswith(words[0])


def test_the_help_lists_every_command(command):
    told = command("--help")
    assert told.exit_code == 0
    assert all(f"  {name}" in told.stdout for name in NAMES)


def test_without_a_command_the_help_is_shown_and_the_usage_was_wrong(command):
    told = command()
    assert (told.exit_code, told.stdout) == (2, "")
    assert "Usage: live-crew COMMAND" in told.stderr


def test_an_unknown_command_gets_the_one_that_was_meant(command):
    told = command("expalin")
    assert told.exit_code == 2
    assert told.stderr == "error: there is no command `expalin`; did you mean `explain`?\n"


def test_an_unknown_command_like_no_other_gets_the_way_to_the_help(command):
    assert "`live-crew --help`" in command("xyz").stderr


def test_the_version_is_a_command(command):
    told = command("--version")
    assert told.exit_code == 2
    assert told.stderr == "error: there is no option `--version`; run `live-crew version`\n"


def test_an_unknown_option_gets_the_one_that_was_meant(command):
    told = command("version", "--jsno")
    assert told.exit_code == 2
    assert told.stderr == "error: there is no option `--jsno`; did you mean `--json`?\n"


def test_a_missing_argument_is_named(command):
    told = command("process")
    assert told.exit_code == 2
    assert "missing argument `events`; see `live-crew process --help`" in told.stderr


def printed(code: str) -> str:
    """What a program prints that has nothing of ours imported before."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(HOME)},
    )
    return done.stdout


def test_the_version_imports_neither_crewai_nor_rich():
    # Typer may bring pydantic; nothing of ours asks for it here.
    code = (
        "import sys\nfrom live_crew.cli import main\n"
        "sys.argv = ['live-crew', 'version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "late = {'crewai', 'rich', 'yaml', 'asyncio', 'live_crew.config'}\n"
        "print(sorted(late & set(sys.modules)))"
    )
    assert printed(code).splitlines()[-1] == "[]"


def test_python_dash_m_is_the_same_program():
    process = spawn("version")
    out, err = process.communicate(timeout=30)
    assert out.startswith("live-crew 0.")
    assert (err, process.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["process", "nope.jsonl", "--json"], 1),
        (["diff", "a.db", "b.db", "--json"], 1),
        (["dlq", "list", "--json"], 1),
        (["process", "events.jsonl", "--handlers", "broken", "--json"], 1),
        (["nope", "--json"], 2),
        (["version", "--json", "--nope"], 2),
        (["process", "--json"], 2),
    ],
)
def test_with_json_what_went_wrong_is_a_document_too(folder, command, args, code):
    (folder / "broken.py").write_text("1 / 0\n")
    told = command(*args)
    assert told.exit_code == code
    (said,) = json.loads(told.stdout).items()
    assert said[0] == "error"
    assert told.stderr.startswith(f"error: {said[1]}\n")


def test_with_json_what_went_wrong_is_a_document_beside_its_traceback(folder, command):
    told = command("process", "nope.jsonl", "--json", env={"LIVE_CREW_TRACEBACK": "1"})
    assert json.loads(told.stdout) == {"error": "`nope.jsonl` is not there; check the path"}
    assert "Traceback" in told.stderr


@pytest.mark.parametrize("args", [["validate", "nope.yaml"], ["process", "events.jsonl"]])
def test_a_document_that_tells_what_went_wrong_stays_the_only_one(folder, command, args):
    with (folder / "events.jsonl").open("a") as file:
        file.write("nope\n")
    told = command(*args, "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["ok"] is False


def test_without_json_what_went_wrong_leaves_standard_output_alone(folder, command):
    assert command("process", "nope.jsonl").stdout == ""


# Where every write fails as on a full disk.
FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no `/dev/full`")
class TestFullDisk:
    def said(self, *args, **options):
        process = spawn(*args, **options)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 1
        return out, err

    @pytest.mark.parametrize(
        "args",
        [
            ["process", "events.jsonl", "-j", "a.db"],
            ["publish", "events.jsonl"],
            ["schema", "config"],
            ["graph"],
        ],
    )
    def test_the_file_is_named(self, folder, args):
        _, err = self.said(*args, "-o", FULL)
        assert err == "error: `/dev/full`: no space left on device\n"

    def test_the_file_is_named_in_the_document_too(self, folder):
        out, _ = self.said("process", "events.jsonl", "-o", FULL, "--json")
        assert json.loads(out) == {"error": "`/dev/full`: no space left on device"}

    @pytest.mark.parametrize(
        "args",
        [
            ["process", "events.jsonl"],
            ["process", "events.jsonl", "--json"],
            ["process", "nope.jsonl", "--json"],
            ["publish", "events.jsonl"],
            ["schema", "config"],
            ["version"],
        ],
    )
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_standard_output_is_named(self, folder, args, unbuffered):
        with FULL.open("w") as full:
            _, err = self.said(*args, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
        assert err.splitlines()[-1] == "error: standard output: no space left on device"
        assert "Errno" not in err
        assert "TRACEBACK" not in err


@pytest.mark.parametrize("module", ["typer", "yaml"])
def test_an_interrupt_while_it_is_imported_ends_it_quietly(folder, module):
    # As Ctrl-C in the first moments is seen by whatever is being imported then.
    (folder / f"{module}.py").write_text("raise KeyboardInterrupt\n")
    paths = {"PYTHONPATH": f"{folder}{os.pathsep}{HOME}"}
    process = spawn("process", "events.jsonl", env=paths)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("", "interrupted\n", 130)


def test_until_an_interrupt_is_quiet_nothing_is_imported():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport live_crew.cli\n"
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    assert printed(code) == "['live_crew', 'live_crew.cli']\n"
