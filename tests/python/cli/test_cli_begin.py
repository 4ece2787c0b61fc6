"""What is done before anything runs: `new`, `validate`, `config`, `schema`, `graph`, `doctor`."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from importlib import metadata

import pytest

from .conftest import HOME, spawn

# Importing CrewAI takes a while on a machine that is busy.
CREWAI = pytest.param("crewai", marks=pytest.mark.timeout(300))
TEMPLATES = ["hello", "two-crews", CREWAI]


class TestNew:
    @pytest.mark.parametrize("template", TEMPLATES)
    def test_what_it_makes_runs_at_once(self, empty, command, monkeypatch, template):
        assert command("new", "mine", "--template", template).exit_code == 0
        monkeypatch.chdir(empty / "mine")
        assert command("validate").exit_code == 0
        told = command("process", "events.jsonl")
        assert told.exit_code == 0
        assert told.stdout
        assert command("replay").exit_code == 0

    @pytest.mark.parametrize("template", TEMPLATES)
    def test_its_test_passes(self, empty, command, template):
        command("new", "mine", "--template", template)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
            check=False,
            cwd=empty / "mine",
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HOME)},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("template", TEMPLATES)
    def test_its_readme_names_only_commands_that_work(self, empty, command, monkeypatch, template):
        command("new", "mine", "--template", template)
        monkeypatch.chdir(empty / "mine")
        readme = (empty / "mine" / "README.md").read_text()
        lines = [line for line in readme.splitlines() if line.startswith("live-crew ")]
        assert len(lines) >= 4
        # The order is that of the page, but what asks a journal needs one.
        command("process", "events.jsonl")
        for line in lines:
            told = command(*line.partition("#")[0].split()[1:])
            assert told.exit_code == 0, (line, told.stderr)
        assert "$" not in readme

    def test_the_way_into_a_folder_with_a_blank_can_be_pasted(self, empty, command):
        assert "\n  cd 'my crews'\n" in command("new", "my crews").stdout

    def test_nothing_is_overwritten(self, empty, command):
        (empty / "mine").mkdir()
        (empty / "mine" / "crews.py").write_text("keep = True\n")
        told = command("new", "mine")
        assert told.exit_code == 1
        assert "`mine/crews.py` would be overwritten" in told.stderr
        assert [file.name for file in (empty / "mine").iterdir()] == ["crews.py"]
        assert command("new").exit_code == 2

    def test_a_file_is_no_folder(self, empty, command):
        (empty / "mine").write_text("")
        assert "`mine` is a file; choose another name" in command("new", "mine").stderr

    def test_json_lists_what_was_made(self, empty, command):
        document = json.loads(command("new", "mine", "--json").stdout)
        assert sorted(document["files"]) == sorted(file.name for file in (empty / "mine").iterdir())
        document = json.loads(command("new", "crew", "-t", "crewai", "--json").stdout)
        assert "greeter/agents.yaml" in document["files"]
        assert all((empty / "crew" / file).is_file() for file in document["files"])

    def test_an_unknown_template_is_wrong_usage(self, empty, command):
        told = command("new", "mine", "-t", "helo")
        assert told.exit_code == 2
        assert "`helo` is not one of `hello`, `two-crews`, `crewai`" in told.stderr


class TestValidate:
    def test_what_is_right_is_said_with_its_crews(self, folder, command):
        told = command("validate")
        assert (told.exit_code, told.stdout) == (0, "ok: 2 crews: `accounts`, `report`\n")

    def check(self, folder, command, old, new):
        path = folder / "live_crew_config.yaml"
        path.write_text(path.read_text().replace(old, new))
        told = command("validate")
        assert told.exit_code == 1
        return told.stdout

    def test_a_mistake_in_the_file_has_line_and_column(self, folder, command):
        said = self.check(folder, command, "crews:\n", "slice_mss: 5\ncrews:\n")
        assert said == (
            "live_crew_config.yaml:1:1: slice_mss: is no setting; did you mean `slice_ms`?\n"
        )

    def test_an_unknown_need_has_line_and_column(self, folder, command):
        said = self.check(folder, command, "crew: accounts, offset", "crew: account, offset")
        assert said.startswith("live_crew_config.yaml:5:")
        assert "needs `account`, which no crew provides; did you mean `accounts`?" in said

    def test_a_cycle_is_spelled_out_in_its_place(self, folder, command):
        need = ", needs: [{type: crew, crew: report, offset: 0}]}"
        path = folder / "live_crew_config.yaml"
        path.write_text(path.read_text().replace("offset: -1", "offset: 0"))
        said = self.check(folder, command, "triggers: [signup]}", f"triggers: [signup]{need}")
        assert said.startswith("live_crew_config.yaml:")
        assert "`accounts` → `report` → `accounts`" in said

    def test_every_crew_that_cannot_be_imported_is_told(self, folder, command):
        path = folder / "live_crew_config.yaml"
        path.write_text(path.read_text().replace("crews:accounts", "crowds:accounts"))
        said = self.check(folder, command, "crews:report", "crews:rapport")
        assert "live_crew_config.yaml:2:13: crews[0].python:" in said
        assert "cannot import `crowds`" in said
        assert "live_crew_config.yaml:4:13: crews[1].python:" in said
        assert "did you mean `report`?" in said

    def test_what_a_module_raises_is_told_with_its_line(self, folder, command):
        with (folder / "crews.py").open("a") as file:
            file.write("1 / 0\n")
        said = command("validate").stdout
        assert "cannot be imported: ZeroDivisionError: division by zero (crews.py:11)" in said

    def test_json_has_each_problem_as_data(self, folder, command):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("slice_ms: fast\n")
        told = command("validate", "--json")
        assert told.exit_code == 1
        document = json.loads(told.stdout)
        (problem,) = document["problems"]
        assert (document["ok"], problem["line"], problem["field"]) == (False, 6, "slice_ms")

    def test_no_configuration_is_told_with_what_makes_one(self, empty, command):
        told = command("validate")
        assert told.exit_code == 1
        assert "there is no `live_crew_config.yaml` here" in told.stdout
        assert "nope.yaml: is not there" in command("validate", "nope.yaml").stdout


class TestConfig:
    def test_each_value_comes_with_its_origin(self, folder, command):
        told = command("config", env={"LIVE_CREW_SLICE_MS": "250"})
        rows = {row.split()[0]: row.split()[1:] for row in told.stdout.splitlines()}
        assert rows["slice_ms"] == ["250", "LIVE_CREW_SLICE_MS"]
        assert rows["crews[0].name"][0] == "accounts"
        assert rows["dedupe_window_s"] == ["120", "default"]

    @pytest.mark.parametrize("secret", ["url: 'nats://me:hush@host:4222'", "token: hush"])
    def test_secrets_are_not_shown(self, folder, command, secret):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write(f"transport: {{kind: nats, {secret}}}\n")
        for args in ([], ["--json"]):
            told = command("config", "--show", *args)
            assert told.exit_code == 0
            assert "hush" not in told.output
            assert "[redacted]" in told.stdout

    def test_json_is_a_list_of_settings(self, folder, command):
        document = json.loads(command("config", "--json").stdout)
        assert document["file"] == "live_crew_config.yaml"
        assert {"path", "value", "origin"} == set(document["settings"][0])

    def test_it_can_validate_instead(self, folder, command):
        assert command("config", "--validate").stdout == command("validate").stdout
        assert command("config", "--validate", "--show").exit_code == 2

    def test_mistakes_are_told_each_on_its_line(self, folder, command):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("slice_ms: fast\npase: virtual\n")
        told = command("config")
        assert told.exit_code == 1
        assert "live_crew_config.yaml:6:11: slice_ms:" in told.stderr
        assert "live_crew_config.yaml:7:1: pase:" in told.stderr


class TestSchema:
    @pytest.mark.parametrize("of", ["config", "runtime"])
    def test_it_is_a_schema(self, empty, command, of):
        document = json.loads(command("schema", of).stdout)
        assert document["$schema"].startswith("https://json-schema.org/")

    def test_it_can_be_written_to_a_file(self, empty, command):
        told = command("schema", "config", "-o", "config.schema.json")
        assert told.stdout == ""
        assert "# yaml-language-server: $schema=config.schema.json" in told.stderr
        assert json.loads((empty / "config.schema.json").read_text())["title"]

    def test_there_are_two(self, empty, command):
        told = command("schema", "confg")
        assert told.exit_code == 2
        assert "`confg` is not one of `config`, `runtime`" in told.stderr


class TestGraph:
    def test_mermaid_is_text_with_every_edge(self, folder, command):
        told = command("graph")
        assert told.stdout == (
            "flowchart LR\n"
            '  event0(["signup"])\n'
            '  crew0["accounts"]\n'
            '  crew1["report"]\n'
            "  event0 --> crew0\n"
            "  event0 --> crew1\n"
            "  crew0 -->|@-1| crew1\n"
        )

    def test_levels_are_boxes_of_their_own(self, folder, command):
        path = folder / "live_crew_config.yaml"
        path.write_text(path.read_text().replace("offset: -1", "offset: 0"))
        assert "  subgraph level1[level 1]\n" in command("graph").stdout

    def test_svg_has_a_box_for_each_node_and_a_line_for_each_edge(self, folder, command):
        told = command("graph", "--format", "svg", "-o", "crews.svg")
        assert (told.stdout, told.stderr) == ("", "wrote crews.svg\n")
        drawing = ET.parse(folder / "crews.svg").getroot()  # noqa: S314 (drawn by ourselves)
        svg = "{http://www.w3.org/2000/svg}"
        assert len(drawing.findall(f"{svg}rect")) == 3
        assert len(drawing.findall(f"{svg}path")) == 3
        texts = [text.text for text in drawing.findall(f"{svg}text")]
        assert texts == ["events", "signup", "level 0", "accounts", "report", "@-1"]
        width, height = (float(drawing.get(size)) for size in ("width", "height"))
        for box in drawing.findall(f"{svg}rect"):
            assert 0 <= float(box.get("x")) <= width - float(box.get("width"))
            assert 0 <= float(box.get("y")) <= height - float(box.get("height"))

    def test_json_is_the_plan(self, folder, command):
        document = json.loads(command("graph", "--json").stdout)
        assert document["slice_ms"] == 500
        needs = {crew["crew"]: crew["needs"] for crew in document["crews"]}
        assert needs["report"] == [{"type": "crew", "name": "accounts", "offset": -1}]


class TestDoctor:
    def test_a_machine_that_is_well_is_told_so(self, folder, command):
        told = command("doctor")
        assert told.exit_code == 0
        assert "journaled in SQLite 3." in told.stdout
        assert "write-ahead log" in told.stdout
        assert "live_crew_config.yaml, 2 crews" in told.stdout

    def test_what_is_in_the_way_makes_it_fail(self, folder, command):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("transport: {kind: nats, url: 'nats://127.0.0.1:1'}\n")
        told = command("doctor")
        assert told.exit_code == 1
        assert re.search("bad   transport .*: nobody listens; start a server", told.stdout)

    def test_a_configuration_that_is_wrong_is_one_finding(self, folder, command):
        with (folder / "live_crew_config.yaml").open("a") as file:
            file.write("slice_ms: fast\npase: virtual\n")
        told = command("doctor", "--json")
        document = json.loads(told.stdout)
        (bad,) = [finding for finding in document["findings"] if finding["state"] == "bad"]
        assert "2 problems; `live-crew validate` lists them" in bad["said"]

    def finding(self, command, what, **options):
        """What is found of one thing: its state, and what is said."""
        findings = json.loads(command("doctor", "--json", **options).stdout)["findings"]
        (found,) = [one for one in findings if one["what"] == what]
        return found["state"], found["said"]

    @pytest.mark.parametrize(
        ("version", "found"),
        [
            ("1.15.3", ("ok", "1.15.3, in the tested range >=1.15.3,<1.16")),
            ("1.15.30.dev1", ("ok", "1.15.30.dev1, in the tested range >=1.15.3,<1.16")),
            ("1.15.2", ("note", "`pip install 'crewai>=1.15.3,<1.16'`")),
            ("1.16.0", ("note", "1.16.0, outside of the tested range >=1.15.3,<1.16")),
        ],
    )
    def test_the_version_of_crewai_is_judged(self, empty, command, monkeypatch, version, found):
        monkeypatch.setattr(metadata, "version", lambda _: version)
        state, said = self.finding(command, "crewai")
        assert state == found[0]
        assert found[1] in said

    def test_without_crewai_it_says_what_works_and_what_does_not(self, empty, command, monkeypatch):
        def missing(name):
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", missing)
        assert self.finding(command, "crewai") == (
            "note",
            "not installed; handlers work without it, crews need `pip install 'live-crew[crewai]'`",
        )

    @pytest.mark.parametrize(
        ("env", "found"),
        [
            ({}, ("ok", "off, live-crew turns that of CrewAI off")),
            ({"OTEL_SDK_DISABLED": "true"}, ("ok", "off, by OTEL_SDK_DISABLED")),
            ({"CREWAI_DISABLE_TELEMETRY": "false"}, ("note", "on: CREWAI_DISABLE_TELEMETRY is")),
        ],
    )
    def test_it_says_whether_telemetry_is_off(self, empty, command, monkeypatch, env, found):
        monkeypatch.setattr(metadata, "version", lambda _: "1.15.3")
        for name in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "OTEL_SDK_DISABLED"):
            monkeypatch.delenv(name, raising=False)
        state, said = self.finding(command, "telemetry", env=env)
        assert state == found[0]
        assert said.startswith(found[1])

    def test_nothing_is_left_behind(self, empty, command):
        command("doctor")
        assert list(empty.iterdir()) == []


class TestColors:
    def on_a_terminal(self, *args, **env):
        """What a command writes to a terminal."""
        near, far = pty.openpty()
        process = spawn(*args, env={"TERM": "xterm-256color", **env}, stdout=far, stderr=far)
        os.close(far)
        said = b""
        try:
            while chunk := os.read(near, 4096):
                said += chunk
        except OSError:
            pass  # as the end of a terminal is told
        os.close(near)
        process.communicate(timeout=30)
        return said

    def test_a_terminal_gets_colors(self, folder):
        assert b"\x1b[32mok\x1b[0m: 2 crews" in self.on_a_terminal("validate")

    def test_no_color_is_respected(self, folder):
        assert b"\x1b" not in self.on_a_terminal("validate", NO_COLOR="1")

    def test_pipes_get_none(self, folder):
        process = spawn("validate")
        out, _ = process.communicate(timeout=30)
        assert "\x1b" not in out

    def test_a_run_over_a_file_shows_that_it_moves(self, folder):
        said = self.on_a_terminal("process", "events.jsonl", "-o", "actions.jsonl")
        assert b"processing" in said
        assert b"6 actions in" in said

    def test_a_file_has_a_bar_that_tells_how_much_of_it_is_done(self, folder):
        said = self.on_a_terminal("process", "events.jsonl", "-o", "actions.jsonl")
        assert b"%" in said
        assert b"events" in said.split(b"done")[0]

    def test_a_pipe_has_none_since_nobody_knows_how_much_there_is(self, folder):
        pipe = folder / "pipe"
        os.mkfifo(pipe)
        events = (folder / "events.jsonl").read_bytes()
        feeding = threading.Thread(target=pipe.write_bytes, args=[events])
        feeding.start()
        said = self.on_a_terminal("process", "pipe", "-o", "actions.jsonl")
        feeding.join()
        assert b"processing" in said
        assert b"%" not in said

    def test_json_has_none(self, folder):
        assert b"processing" not in self.on_a_terminal("process", "events.jsonl", "--json")

    def test_actions_on_a_terminal_are_not_disturbed(self, folder):
        assert b"processing" not in self.on_a_terminal("process", "events.jsonl")
