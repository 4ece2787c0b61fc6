"""Which files a crew may have and how JSON may go wrong, and what is told then."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from live_crew.crews.folder import read_folder
from live_crew.errors import ConfigError

Mistakes = Callable[..., str]
Write = Callable[[dict[str, str]], Path]

AGENT = "a: {role: Scout, goal: g, backstory: b}\n"
TASK = "t: {description: d, expected_output: e, agent: a}\n"
CREW_JSON = (
    '{"agents": ["a"], "tasks": [{"description": "d", "expected_output": "e", "agent": "a"}]}'
)
AGENT_JSON = '{"role": "r", "goal": "g", "backstory": "b"}'
NO_YAML = dict.fromkeys(("agents.yaml", "tasks.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"agents": {"a": {}}, "tasks": [{"description": "d", "expected_output": "e", "agent": "a"}]}',
            'crew.json:1:12: agents: is no list of agents; write `"agents": ["name"]`, and each in `agents/<name>.json`',
        ),
        (
            '{"tasks": []}',
            'crew.json:1:1: agents: is no list of agents; write `"agents": ["name"]`, and each in `agents/<name>.json`\ncrew.json:1:11: tasks: is no list of tasks; write `"tasks": [{"description": …}]`',
        ),
        (
            '{"agents": ["a"],\n "agents": ["a"], "tasks": []}',
            'crew.json:2:2: agents: is there twice, first in line 1; remove one\ncrew.json:2:28: tasks: is no list of tasks; write `"tasks": [{"description": …}]`',
        ),
        (
            '{"agents": ["a"], "tasks": [{"description": d, "expected_output": "e", "agent": "a"}]}',
            "crew.json:1:45: `d` is no value of JSON; write texts in double quotes",
        ),
        (
            '{"agents": ["a"] "tasks": []}',
            "crew.json:1:18: a mapping that was opened goes on; add `}`, or `,` before this",
        ),
        (
            '{"agents": ["a"',
            "crew.json:1:16: a list that was opened goes on; add `]`, or `,` before this",
        ),
        ("/* x", "crew.json:1:1: a comment that is opened and goes on; add `*/`"),
        (
            '{"agents": ["a]}\n}',
            "crew.json:1:13: a text that goes on beyond its line; close it with a double quote",
        ),
        (
            '{"agents": ["\\x"]}',
            "crew.json:1:14: a `\\` that begins nothing; write `\\\\` for itself",
        ),
        (CREW_JSON[:-1] + "} x", "crew.json:1:90: goes on after its end; remove the rest"),
        ("{agents: []}", "crew.json:1:2: a key that is no text; put it in double quotes"),
        ('{"agents" []}', "crew.json:1:11: `:` is missing after the key `agents`; add it"),
        (
            '{"agents": NaN}',
            "crew.json:1:12: `NaN` is no value of JSON; write texts in double quotes",
        ),
        ("[1]", 'crew.json:1:1: is a list; write a mapping of `"agents"`, `"tasks"` and settings'),
        ("", "crew.json:1:1: a value is missing; add one"),
        (
            '{"agents": ["../a", 4, "a", "a"], "tasks": [{"description": "d", "expected_output": "e", "agent": "a"}]}',
            "crew.json:1:13: agents[0]: `../a` is no name of an agent; name a file of `agents/`\ncrew.json:1:21: agents[1]: 4 is no name of an agent; name a file of `agents/`\ncrew.json:1:29: agents[3]: `a` is there already; remove one",
        ),
        (
            '{"agents": ["a"], "tasks": [{"description": "d", "expected_output": "e", "agent": "a", "contxt": []}]}',
            "crew.json:1:88: tasks[0].contxt: is no key of CrewAI here; did you mean `context`?",
        ),
        (
            CREW_JSON[:-1] + ', "process": "hierarchical", "manager_agent": "m"}',
            "crew.json:1:134: manager_agent: `m` is no file of `agents/`; did you mean `a`?",
        ),
        (
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            "crew.json:1:52: nests deeper than 50 levels; flatten it",
        ),
    ],
)
def test_mistakes_in_json(mistakes: Mistakes, text: str, message: str) -> None:
    assert (
        mistakes(
            {
                "agents.yaml": None,
                "tasks.yaml": None,
                "crew.json": text,
                "agents/a.json": AGENT_JSON,
            }
        )
        == message
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"agents.yaml": None, "tasks.yaml": None},
            "desk: holds no crew; create `agents.yaml` and `tasks.yaml`",
        ),
        (
            {"agents.yaml": None, "tasks.yaml": None, "agent.yaml": AGENT},
            "desk: holds no crew; rename `agent.yaml` to `agents.yaml`",
        ),
        ({"tasks.yaml": None}, "agents.yaml: stands without `tasks.yaml`; create `tasks.yaml`"),
        (
            {"tasks.yaml": None, "task.yaml": TASK},
            "agents.yaml: stands without `tasks.yaml`; rename `task.yaml` to `tasks.yaml`",
        ),
        ({"agents.yaml": None}, "tasks.yaml: stands without `agents.yaml`; create `agents.yaml`"),
        ({"agents.yml": AGENT}, "agents.yml: is there beside `agents.yaml`; remove one"),
        (
            {"config/tasks.yaml": TASK},
            "config/tasks.yaml: is there beside `tasks.yaml`; remove one",
        ),
        (
            {"crew.json": CREW_JSON},
            "crew.json: describes the crew, as `agents.yaml` and `tasks.yaml` also do; remove `crew.json`, or `agents.yaml` and `tasks.yaml`",
        ),
        (
            {
                **NO_YAML,
                "crew.json": CREW_JSON,
                "crew.jsonc": CREW_JSON,
                "agents/a.json": AGENT_JSON,
            },
            "crew.json: is there beside `crew.jsonc`; remove one",
        ),
        ({"agents.yaml": ""}, "agents.yaml:1:1: is empty; write agents, each under its name"),
        (
            {
                "tasks.yaml": "t: {description: d, expected_output: e, agent: analyst}\n",
                "agents.yaml": "analysts: {role: Scout, goal: g, backstory: b}\n",
            },
            "tasks.yaml:1:48: tasks.t.agent: `analyst` is no agent of agents.yaml; did you mean `analysts`?",
        ),
        (
            {
                "agents.yaml": AGENT.replace("}", ", tools: ['custom:cuont']}"),
                "tools/count.py": "x",
            },
            "agents.yaml:1:49: agents.a.tools[0]: `custom:cuont` has no `tools/cuont.py`; did you mean `custom:count`?",
        ),
        (
            {
                "tasks.yaml": TASK.replace("}", ", output_pydantic: {python: shape.Report}}"),
                "shapes.py": "",
            },
            "tasks.yaml:1:68: tasks.t.output_pydantic: module `shape` is not in the folder of the crew; did you mean `shapes.Report`?",
        ),
        (
            {
                "crew.yaml": "process: hierarchical\nmanager_agent: b",
                "agents.yaml": AGENT + "b: {role: B, goal: g, backstory: b, tools: [X]}\n",
            },
            "agents.yaml:2:37: agents.b.tools: a manager cannot have tools; give them to the agents it manages",
        ),
        (
            {**NO_YAML, "crew.json": CREW_JSON},
            "crew.json:1:13: agents[0]: `a` is no file of `agents/`; create `agents/a.json`",
        ),
        (
            {
                **NO_YAML,
                "crew.json": '{"agents": ["scot"], "tasks": [{"description": "d", "expected_output": "e", "agent": "scot"}]}',
                "agents/scout.json": AGENT_JSON,
            },
            "crew.json:1:13: agents[0]: `scot` is no file of `agents/`; did you mean `scout`?",
        ),
        (
            {
                **NO_YAML,
                "crew.json": CREW_JSON,
                "agents/a.json": '{"role": "r",\n "goall": "g", "backstory": "b"}',
            },
            "agents/a.json:1:1: agents.a.goal: is missing; add `goal: …`\nagents/a.json:2:2: agents.a.goall: is no key of CrewAI here; did you mean `goal`?",
        ),
        (
            {
                **NO_YAML,
                "crew.json": CREW_JSON,
                "agents/a.json": '{"role": "\\ud800", "goal": "g", "backstory": "b"}',
            },
            "agents/a.json:1:10: a text with half a character; write both halves of `\\u…`",
        ),
        (
            {
                **NO_YAML,
                "crew.json": CREW_JSON,
                "agents/a.json": '{"role": "r", "goal": "g", "backstory": "b", "tools": ["custom:x"]}',
            },
            "agents/a.json:1:56: agents.a.tools[0]: `custom:x` has no `tools/x.py`; create it with a subclass of `BaseTool`",
        ),
    ],
)
def test_mistakes_in_which_files_there_are(
    mistakes: Mistakes, files: dict[str, str | None], message: str
) -> None:
    assert mistakes(files) == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing", "nothing: is not there; give the folder of a crew"),
        ("desk/tasks.yaml", "desk/tasks.yaml: is a file; give the folder of a crew"),
        ("a\0b", "a\0b: is no path; give the folder of a crew"),
    ],
)
def test_a_crew_is_a_folder(write: Write, path: str, message: str) -> None:
    write({"desk/tasks.yaml": TASK})
    with pytest.raises(ConfigError) as caught:
        read_folder(path)
    assert str(caught.value) == message
