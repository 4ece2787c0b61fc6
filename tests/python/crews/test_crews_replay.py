"""`live-crew replay --mode reexecute|live`, and `orchestrator.replay`, on real crews."""

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from live_crew import CrewOrchestrator
from live_crew.cli.app import app
from live_crew.errors import JournalError, LiveCrewError

CONFIG = """\
journal: {path: journal.db}
crews:
  - python: things:greeter
    runtime: {crew: greeter, triggers: [signup]}
  - python: things:count
    runtime: {crew: count, triggers: [signup]}
"""

THINGS = '''\
"""A crew that looks its guest up and greets, on a model that does not think; and a handler."""

from pathlib import Path

from live_crew import event_handler
from live_crew.crews.seams import Agent, BaseLLM, BaseTool, Crew, Task

CALLS = Path(__file__).with_name("calls.txt")
GREETING = "Hello"
TASK = "Greet {name}."

def called(what):
    with CALLS.open("a") as file:
        file.write(what + "\\n")

class Model(BaseLLM):
    def call(self, messages, *_, **about):
        called("model")
        self._track_token_usage_internal({"prompt_tokens": 3, "total_tokens": 3})
        if sum(one["role"] == "assistant" for one in messages):
            text = "".join(str(one["content"]) for one in messages)
            name = text.split("guest <")[1].split(">")[0]
            return f"Thought: known\\nFinal Answer: {GREETING} {name}"
        name = str(messages[-1]["content"]).split("Greet ")[-1].split(".")[0]
        return f'Thought: look\\nAction: guest\\nAction Input: {{"name": "{name}"}}'

    def get_context_window_size(self):
        return 100_000

class Guest(BaseTool):
    name: str = "guest"
    description: str = "Looks a guest up."

    def _run(self, name: str) -> str:
        called("tool")
        return f"guest <{name}>"

def greeter():
    llm, tools = Model(model="m"), [Guest()]
    host = Agent(role="host", goal="greet", backstory="You greet.", llm=llm, tools=tools)
    task = Task(name="greet", description=TASK, expected_output="a greeting", agent=host)
    return Crew(name="greeter", agents=[host], tasks=[task])

@event_handler("signup")
def count(event, ctx):
    ctx.incr("signups", 1)
    return {"kind": "counted", "payload": event.payload["name"]}
'''

EVENTS = [
    {
        "ts": f"2026-01-01T00:00:0{at}Z",
        "kind": "signup",
        "stream_id": stream,
        "payload": {"name": name},
    }
    for at, (stream, name) in enumerate([("shop", "Ada"), ("shop", "Bob"), ("mall", "Eve")])
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A journal of three greetings, and the crews that made it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LIVE_CREW_")]:
        monkeypatch.delenv(name)
    paths = list(sys.path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    Path("live_crew_config.yaml").write_text(CONFIG)
    Path("things.py").write_text(THINGS)
    Path("events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    command("process", "events.jsonl")
    yield tmp_path
    sys.path[:] = paths
    sys.modules.pop("things", None)


def command(*args, code=0):
    sys.modules.pop("things", None)
    Path("calls.txt").write_text("")
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def calls():
    return Path("calls.txt").read_text().split()


def change(old, new):
    text = Path("things.py").read_text()
    assert old in text
    Path("things.py").write_text(text.replace(old, new))


def test_an_unchanged_crew_does_what_it_did(folder):
    before = {path: path.read_bytes() for path in folder.glob("journal*.db")}
    assert len(before) == 2
    assert command("replay", "--mode", "reexecute") == "6 runs again, nothing differs\n"
    assert calls() == []
    told = json.loads(command("replay", "--mode", "reexecute", "--json"))
    assert (told["mode"], told["ok"], told["runs"], told["differing"]) == ("reexecute", True, 6, [])
    assert {path: path.read_bytes() for path in folder.glob("journal*.db")} == before
    assert not list(folder.glob("*.traffic.db-*"))


def test_attempts_are_chosen_by_stream_slice_and_crew(folder):
    again = ("replay", "--mode", "reexecute")
    assert command(*again, "-s", "mall") == "2 runs again, nothing differs\n"
    assert command(*again, "--crew", "greeter") == "3 runs again, nothing differs\n"
    assert command(*again, "--from", 2, "--crew", "count") == "1 run again, nothing differs\n"
    assert command(*again, "--to", 1, "-s", "shop") == "2 runs again, nothing differs\n"
    assert command(*again, "--from", 99) == "no run to replay\n"
    result = CliRunner().invoke(app, [*again, "--crew", "greter"])
    assert (result.exit_code, "did you mean `greeter`?" in result.stderr) == (1, True)


def test_a_changed_prompt_is_told_with_its_run_and_message(folder):
    change('"Greet {name}."', '"Warmly Greet {name}."')
    out = command("replay", "--mode", "reexecute", "-s", "shop", code=1)
    assert out.splitlines()[:4] == [
        "shop: slice 0, crew `greeter`, run 0.0",
        "  request 1 of agent `host`, task 1: message 2 (user) differs",
        "    recorded  Current Task: Greet Ada.",
        "    now       Current Task: Warmly Greet Ada.",
    ]
    assert out.splitlines()[-1] == "4 runs again, 2 of them differ"
    assert calls() == []


def test_a_changed_crew_may_need_answers_that_are_not_there(folder):
    change(
        "tasks=[task]", "tasks=[task, Task(description='More.', expected_output='x', agent=host)]"
    )
    out = command("replay", "--mode", "reexecute", "-s", "mall", code=1)
    assert "  request 1 of agent `host`, task 2 has no recorded answer" in out.splitlines()
    assert "  outcome differs" in out.splitlines()
    assert calls() == []


def test_answers_that_were_lost_are_missing(folder):
    with sqlite3.connect("journal.traffic.db") as db:
        db.execute("DELETE FROM call WHERE sort = 'tool'")
    db.close()
    out = command("replay", "--mode", "reexecute", "-s", "mall", code=1)
    assert "request 1 of agent `host`, task 1 of tool `guest` has no recorded answer" in out
    assert calls() == []


def test_a_changed_handler_is_told_by_its_actions(folder):
    change('event.payload["name"]}', 'event.payload["name"].upper()}')
    told = json.loads(command("replay", "--mode", "reexecute", "-s", "mall", "--json", code=1))
    (run,) = told["differing"]
    assert (run["crew"], run["slice"], run["stream_id"]) == ("count", 0, "mall")
    (difference,) = run["differences"]
    assert (difference["what"], difference["field"]) == ("outcome", "actions")
    assert difference["recorded"]["actions"] == [{"kind": "counted", "payload": "Eve"}]
    assert difference["now"]["actions"] == [{"kind": "counted", "payload": "EVE"}]


def test_another_model_is_tried_live(folder):
    change('GREETING = "Hello"', 'GREETING = "Good day"')
    assert command("replay", "--mode", "reexecute") == "6 runs again, nothing differs\n"
    out = command("replay", "--mode", "live", "-s", "mall")
    assert out.splitlines() == [
        "mall: slice 0, crew `greeter`, run 0.0",
        "  actions differs",
        '    recorded  [{"kind": "greeter_result", "payload": {"text": "Hello Eve"}}]',
        '    now       [{"kind": "greeter_result", "payload": {"text": "Good day Eve"}}]',
        "2 runs again, 1 of them differs",
    ]
    assert calls() == ["model", "tool", "model"]


def test_crews_without_traffic_say_why_they_cannot(folder):
    Path("journal.traffic.db").unlink()
    result = CliRunner().invoke(app, ["replay", "--mode", "reexecute"])
    assert result.exit_code == 1
    assert "there is no recorded traffic" in result.stderr
    assert command("replay", "--mode", "reexecute", "--crew", "count") == (
        "3 runs again, nothing differs\n"
    )


def test_a_journal_is_set_aside_with_its_traffic(folder):
    Path("live_crew_config.yaml").write_text(CONFIG.replace("journal: {path: journal.db}\n", ""))
    for _ in range(2):
        command("process", "events.jsonl")
    names = {path.name for path in Path(".live_crew").glob("*.db")}
    assert {
        *("journal.db", "journal.traffic.db", "journal.prev.db", "journal.prev.traffic.db")
    } <= names
    assert command("replay", ".live_crew/journal.prev.db", "--mode", "reexecute") == (
        "6 runs again, nothing differs\n"
    )


def test_options_that_do_not_fit_are_usage_errors(folder):
    for args in (["--mode", "again"], ["--from", "3"], ["--crew", "count"]):
        assert CliRunner().invoke(app, ["replay", *args]).exit_code == 2


# -- from Python ---------------------------------------------------------------------------


async def test_a_program_replays_its_own_run(crew, model, events):
    llm = model(lambda text: f"answer {text.count('x')}")
    orchestrator = CrewOrchestrator(journal={"traffic": True})
    orchestrator.register_crew("crew", crew(llm, "Count {word}."), triggers=["ask"])
    await orchestrator.run(events(*({"word": "x" * at} for at in range(12))))
    asked = len(llm._asked)
    result = await orchestrator.replay()
    assert (result.ok, len(result.runs), len(llm._asked)) == (True, 12, asked)
    object.__setattr__(llm, "_say", "another")
    # The copy in the template says what it said before; a new one is needed for `live`.
    other = CrewOrchestrator(journal={"traffic": True})
    other.register_crew("crew", crew(model("another"), "Count {word}."), triggers=["ask"])
    other._journal = orchestrator.journal
    live = await other.replay(mode="live", first=4, last=6)
    assert [run.slice for run in live.differing] == [4, 6]
    assert [one.now["output"] for run in live.differing for one in run.differences] == [
        {"text": "another"}
    ] * 2


async def test_attempts_that_failed_fail_again(crew, model, events):
    says = iter([ValueError("first"), ValueError("first"), ValueError("first"), "fine"])

    def say(_):
        said = next(says)
        if isinstance(said, Exception):
            raise said
        return said

    orchestrator = CrewOrchestrator(journal={"traffic": True})
    orchestrator.register_crew("crew", crew(model(say)), triggers=["ask"], retry={"attempts": 2})
    ran = await orchestrator.run(events({}))
    assert [action.payload for action in ran.actions] == [{"text": "fine"}], ran.errors
    result = await orchestrator.replay()
    assert [(run.attempt, run.differences) for run in result.runs] == [(1, ()), (2, ())]


async def test_an_answer_that_lacked_a_secret_is_told(crew, model, events, monkeypatch):
    monkeypatch.setenv("SHOP_API_KEY", "sk-12345678")
    orchestrator = CrewOrchestrator(journal={"traffic": True})
    mine = crew(model("the key is sk-12345678"))
    orchestrator.register_crew("crew", mine, triggers=["ask"])
    await orchestrator.run(events({}))
    (run,) = (await orchestrator.replay()).differing
    assert run.differences[0].now["output"] == {"text": "the key is [redacted]"}
    assert "secret" in run.hint


async def test_what_cannot_be_replayed_is_refused(crew, model, events):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", crew(model("done")), triggers=["ask"])
    await orchestrator.run(events({}))
    with pytest.raises(JournalError, match="no recorded traffic"):
        await orchestrator.replay()
    with pytest.raises(LiveCrewError, match="no mode of a replay"):
        await orchestrator.replay(mode="again")
    with pytest.raises(LiveCrewError, match="no crew `crow`; did you mean `crew`"):
        await orchestrator.replay(crew="crow")


async def test_attempts_of_a_crew_that_is_no_more_are_counted(events, tmp_path):
    path = tmp_path / "journal.db"

    def of(*handlers):
        orchestrator = CrewOrchestrator(journal=path)
        for handler in handlers:
            orchestrator.register_handler(handler, ["ask"])
        return orchestrator

    def stays(event):
        return 1

    def goes(event):
        return 2

    assert (await of(stays, goes).run(events({}, {}, {}))).ok
    replayed = await of(stays).replay(path)
    assert (len(replayed.runs), dict(replayed.left_out)) == (3, {"goes": 3})
    assert replayed.to_dict()["left_out"] == {"goes": 3}
    assert dict((await of(stays).replay(path, last=2)).left_out) == {"goes": 2}
    assert dict((await of(stays).replay(path, crew="stays")).left_out) == {}
