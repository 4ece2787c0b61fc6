"""`live-crew new --from-handlers`: what becomes of handlers, without running any of it."""

import ast
import json
import sys

import pytest
import yaml

from live_crew.config import load_config, load_runtime
from live_crew.crews.folder import read_folder
from live_crew.testing._answers import read_answers

SHOP = '''\
from live_crew import Action, Event, EventDep, event_handler


@event_handler("user_signup", timeout_ms=2000, retry={"attempts": 2})
def greet(event, ctx):
    """Welcome each user, and count them.

    Say {name}, not {nobody}; answer {"kind": "greeting"}.
    """
    ctx["users"] = ctx.get("users", 0) + 1
    plan = event.payload.get("plan", "free")
    if plan == "team":
        seats = event.payload["seats"]
        return {"kind": "team_greeting", "payload": {"user": event.payload["name"], "seats": seats}}
    return {"kind": "greeting", "payload": f"Welcome {event.payload['name']}!"}


@event_handler("user_signup", needs=[("greet", -1), EventDep("goal")], batch="slice")
async def report(events, ctx):
    names = [one.payload["name"] for one in events]
    return Action(kind="user_report", payload={"names": names, "n": len(names)})


@event_handler("goal", needs=[("vision", 0)])
def scorer(event, ctx):
    """Keep the score."""
    ctx.incr(["score", event.payload["side"]])
'''

STRANGE = '''\
import functools
import random
from pydantic import BaseModel
from live_crew import Event, event_handler


class Order(BaseModel):
    item: str
    count: int = 1


@event_handler(["order", "order_*"], crew="stock-keeper", emits={"kind": "stock", "ttl_ms": 10})
def typed(order: Event[Order], context):
    """On: # "quoted" 'text', a\\ttab \\x07 and {{ braces }}"""
    left = context.setdefault("stock", {})
    left[order.payload.item] = left.get(order.payload.item, 0) - order.payload.count
    actions = []
    if left[order.payload.item] < 0:
        actions.append({"item": order.payload.item, "left": left[order.payload.item]})
    for name in left:
        actions.append({"kind": name, "payload": None})
    return actions


@event_handler("on")
def keys(event):
    payload = event.payload
    payload["seen"] = True
    found = [payload["first name"], payload["event"], payload["first-name"], payload[event.kind]]
    if "note" in payload:
        found.append(payload["note"].upper())
    found.append(payload.get("quote", 'it\\'s "so"'))
    return found, payload.get("x", random.random()), payload.get(1)


@event_handler
def everything(event, ctx):
    def inner():
        return {"kind": "not_mine", "payload": 1}

    match event.payload:
        case {"name": name}:
            ctx.update(name=name, **inner())
            return {"actions": [{"kind": "named", "payload": name}], "context": {"last": name}}
    helper(event, ctx)
    ctx.append("log", ctx.now.isoformat())
    return [{"kind": "one", "payload": ctx.random()} for _ in ctx.events if ctx.deps or ctx.missing]


def helper(event, ctx):
    return None


lambda_ = event_handler("a")(lambda event: event.payload["x"])


class Callable:
    def __call__(self, event):
        return 1


callable_ = event_handler("a")(Callable())
'''


@pytest.fixture
def made(empty, command):
    """What is made of the handlers of a module."""

    def made(code, *names, folder="."):
        (empty / "shop.py").write_text(code)
        options = [part for name in names or ["shop"] for part in ("--from-handlers", name)]
        told = command("new", folder, *options)
        assert told.exit_code == 0, told.stderr
        return told.stdout

    return made


def crew_of(path):
    """The parts of a crew as they are read, after every file of it was."""
    runtime = load_runtime(path / f"{path.name}.runtime.yaml")
    crew = read_folder(path)
    assert read_answers(path / "answers.yaml")
    ast.parse((path / f"{path.name.replace('-', '_')}_crew.py").read_text())
    (task,) = crew.definition["tasks"]
    return runtime, task, crew


class TestWhatIsSaid:
    def test_decorator_docstring_and_code_become_a_crew(self, empty, made):
        made(SHOP, "shop:greet")
        runtime, task, crew = crew_of(empty / "crews/greet")
        assert runtime.triggers == ("user_signup",)
        assert (runtime.timeout_ms, runtime.retry.attempts) == (2000, 2)
        assert runtime.model_fields_set == {
            "crew", "triggers", "timeout_ms", "retry", "inputs", "llm"
        }  # fmt: skip
        assert runtime.inputs == {
            "plan": "{{ event.payload.plan | default('free') }}",
            "seats": "{{ event.payload.seats | default('none') }}",
        }
        assert task["description"] == (
            "Welcome each user, and count them.\n\n"
            'Say {name}, not <nobody>; answer {"kind": "greeting"}.\n'
            "The event, `user_signup`: plan {plan}, seats {seats}, name {name}.\n"
            "Read `users` of the shared context."
        )
        assert " ".join(task["expected_output"].split()) == (
            'JSON with `actions`, a list of one with `kind` "team_greeting" and `payload` holding '
            '`user` and `seats`; or `kind` "greeting" and `payload`, a text; '
            "and with `context`, with the new `users`"
        )
        assert crew.placeholders == {"name", "plan", "seats"}
        assert crew.definition["agents"]["greet"]["role"] == "Greet"

    def test_a_batch_reads_all_events_and_needs_are_kept(self, empty, made):
        made(SHOP, "shop:greet", "shop:report")
        runtime, task, crew = crew_of(empty / "crews/report")
        assert [need.model_dump() for need in runtime.needs] == [
            {"type": "crew", "crew": "greet", "offset": -1},
            {"type": "event", "event": "goal", "offset": 0},
        ]
        assert crew.placeholders == {"events"}
        assert "Of each event, `user_signup`: `name`." in task["description"]
        assert task["expected_output"] == (
            'JSON with `kind` "user_report" and `payload` holding `names` and `n`'
        )

    def test_what_is_not_known_is_a_line_of_its_own(self, empty, made):
        said = made(STRANGE, "shop:everything")
        text = (empty / "crews/everything/tasks.yaml").read_text()
        for unclear in (
            "the handler has no docstring",
            "updates the context with keys that are computed",
            "hands `event` to `helper`, which was not looked into",
            "asks for `ctx.now`; a crew has the `ts` of its event",
            "draws with `ctx.random()`, which a crew cannot",
            "it added to `log`, a crew sets it",
        ):
            assert sum(unclear in line for line in text.splitlines() if "# TODO: " in line) >= 1
        assert "not_mine" not in text
        assert "lines begin with `TODO`" in said

    def test_strange_handlers_become_crews_that_can_be_read(self, empty, made):
        made(STRANGE)
        names = {"stock-keeper", "keys", "everything", "lambda", "Callable"}
        assert {one.name for one in (empty / "crews").iterdir()} == names
        crews = {name: crew_of(empty / "crews" / name) for name in names}
        runtime, task, crew = crews["stock-keeper"]
        assert runtime.triggers == ("order", "order_*")
        assert (runtime.emits.kind, runtime.emits.ttl_ms) == ("stock", 10)
        assert crew.placeholders == {"item", "count"}
        expected = " ".join(task["expected_output"].split())
        assert '`kind` "stock" and `payload` holding `item` and `left`; or `kind` and' in expected
        assert "with the new `stock`" in expected
        runtime, _, crew = crews["keys"]
        assert runtime.triggers == ("on",)
        assert runtime.inputs["payload_event"] == "{{ event.payload.event }}"
        assert runtime.inputs["quote"] == "{{ event.payload.quote | default('none') }}"
        assert runtime.inputs["_first_name"] == '{{ event.payload["first name"] }}'
        assert "first-name" in crew.placeholders
        for name in ("lambda", "Callable"):
            assert crews[name][2].placeholders == {"event"}

    def test_the_configuration_lists_them_and_what_they_need(self, empty, made):
        made(SHOP, "shop:report")
        config = load_config("live_crew_config.yaml", env={})
        assert [(crew.name, crew.python) for crew in config.crews] == [
            ("greet", "shop:greet"),
            ("report", None),
        ]

    def test_a_need_that_nobody_provides_is_a_line_to_take_away(self, empty, made):
        made(SHOP, "shop:scorer")
        assert load_runtime(empty / "crews/scorer/scorer.runtime.yaml").needs == ()
        text = (empty / "crews/scorer/scorer.runtime.yaml").read_text()
        assert "# TODO: configure a crew `vision`, then take the # away:" in text
        again = yaml.safe_load(text.replace("needs: []", "needs:").replace("  # - {", "  - {"))
        assert again["needs"] == [{"type": "crew", "crew": "vision", "offset": 0}]


class TestWhereItGoes:
    def test_nothing_is_overwritten(self, empty, made, command):
        made(SHOP)
        before = {one: one.read_text() for one in empty.rglob("*.yaml")}
        told = command("new", "--from-handlers", "shop:greet")
        assert told.exit_code == 1
        assert "`crews/greet/agents.yaml` and 4 more would be overwritten" in told.stderr
        assert {one: one.read_text() for one in empty.rglob("*.yaml")} == before

    def test_one_file_in_the_way_keeps_all_from_being_written(self, empty, command):
        (empty / "shop.py").write_text(SHOP)
        (empty / "crews/scorer").mkdir(parents=True)
        (empty / "crews/scorer/scorer_crew.py").write_text("mine = True\n")
        told = command("new", "--from-handlers", "shop")
        assert "`crews/scorer/scorer_crew.py` would be overwritten" in told.stderr
        assert not (empty / "crews/greet").exists()

    def test_a_configuration_that_is_there_is_told_what_to_list(self, folder, command):
        before = (folder / "live_crew_config.yaml").read_text()
        told = command("new", "--from-handlers", "crews:report")
        assert told.exit_code == 0
        said = "add to `crews:` of live_crew_config.yaml, in the place of the handlers:\n\n"
        assert f"{said}  - path: crews/report\n" in told.stdout
        assert (folder / "live_crew_config.yaml").read_text() == before

    def test_another_folder_is_made(self, empty, made):
        said = made(SHOP, "shop:greet", folder="there/deep")
        assert (empty / "there/deep/crews/greet/greet_crew.py").is_file()
        assert "  cd there/deep\n" in said

    def test_json_tells_files_and_what_is_left_to_do(self, empty, made, command):
        (empty / "shop.py").write_text(SHOP)
        document = json.loads(command("new", "--from-handlers", "shop:greet", "--json").stdout)
        assert "crews/greet/tasks.yaml" in document["files"]
        todos = sum(one.read_text().count("# TODO: ") for one in (empty / "crews").rglob("*.*"))
        assert document["todos"] == todos

    def test_what_is_printed_next_can_be_run(self, empty, made, command):
        said = made(SHOP, "shop:greet")
        (line,) = [line for line in said.splitlines() if "publish" in line]
        assert line.strip().startswith("live-crew publish -k user_signup -p '{")

    @pytest.mark.parametrize(
        ("args", "code", "said"),
        [
            (["shop:gret"], 1, "`--from-handlers shop:gret`: `shop` has no `gret`; did you mean"),
            (["shop:Event"], 1, "`shop:Event` is no handler; decorate it with `@event_handler`"),
            (["shops"], 1, "`--from-handlers shops`: cannot import `shops`"),
            (["json"], 1, "`json` has no handlers"),
            (["shop", "-t", "hello"], 2, "`--template` goes with a new folder; leave it away"),
        ],
    )
    def test_what_cannot_be_is_told(self, empty, command, args, code, said):
        (empty / "shop.py").write_text(SHOP)
        told = command("new", "--from-handlers", *args)
        assert told.exit_code == code
        assert said in told.stderr
        assert "crewai" not in sys.modules or not (empty / "crews").exists()
