"""What agents, tasks and settings may not say, and what is told then, without CrewAI."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable

import pytest

Mistakes = Callable[..., str]

AGENT = "a: {role: Scout, goal: g, backstory: b}\n"
TASK = "t: {description: d, expected_output: e, agent: a}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- role: x\n", "agents.yaml:1:1: is a list; write agents, each under its name"),
        ("hello", "agents.yaml:1:1: is `hello`; write agents, each under its name"),
        ("{}", "agents.yaml:1:1: is empty; write agents, each under its name"),
        (
            AGENT + "a: {role: Scout, goal: g, backstory: b}\n",
            "agents.yaml:2:1: a: is there twice, first in line 1; remove one",
        ),
        (
            AGENT.replace("}", ", role: x}"),
            "agents.yaml:1:41: a.role: is there twice, first in line 1; remove one",
        ),
        (
            "a: [1",
            "agents.yaml:2:1: a list that was opened goes on; add `]`, or `,` before the next entry",
        ),
        ("a:\n\trole: x", "agents.yaml:2:1: a tab; YAML is indented with spaces, replace it"),
        (
            "a: scout\n",
            "agents.yaml:1:4: agents.a: `scout` is no agent; write `role`, `goal` and `backstory` below its name",
        ),
        (
            AGENT.replace("}", ", goall: x}"),
            "agents.yaml:1:41: agents.a.goall: is no key of CrewAI here; did you mean `goal`?",
        ),
        (
            AGENT.replace("}", ", zzzzzz: x}"),
            "agents.yaml:1:41: agents.a.zzzzzz: is no key of CrewAI here; remove it",
        ),
        (
            "a: {goal: g, backstory: b}\n",
            "agents.yaml:1:4: agents.a.role: is missing; add `role: …`",
        ),
        (
            "a: {role: '', goal: , backstory: b}\n",
            "agents.yaml:1:11: agents.a.role: is empty; write what it is\nagents.yaml:1:15: agents.a.goal: is missing; add `goal: …`",
        ),
        (
            "a: {goal: g, backstory: b, settings: {role: x}}\n",
            "agents.yaml:1:4: agents.a.role: is missing; move it out of `settings`",
        ),
        (
            AGENT + "b: {role: 'Scout ', goal: g, backstory: b}\n",
            "agents.yaml:2:11: agents.b.role: is the role of `agents.a` too, and CrewAI takes one for the other; change one",
        ),
        (
            "a: {role: 42, goal: yes, backstory: [b]}\n",
            'agents.yaml:1:11: agents.a.role: `42` is read by YAML as a number; put it in quotes: "42"\nagents.yaml:1:21: agents.a.goal: `yes` is read by YAML as true; put it in quotes: "yes"\nagents.yaml:1:37: agents.a.backstory: a list is no text; write one in quotes',
        ),
        (
            AGENT.replace("}", ", verbose: 2}"),
            "agents.yaml:1:50: agents.a.verbose: 2 is neither true nor false; write `true` or `false`",
        ),
        (
            AGENT.replace("}", ", max_iter: many}"),
            "agents.yaml:1:51: agents.a.max_iter: `many` is no whole number; write one from 0 on",
        ),
        (
            AGENT.replace("}", ", max_iter: 1.5}"),
            "agents.yaml:1:51: agents.a.max_iter: 1.5 is no whole number; write one from 0 on",
        ),
        (
            AGENT.replace("}", ", max_rpm: -1}"),
            "agents.yaml:1:50: agents.a.max_rpm: -1 is no whole number; write one from 0 on",
        ),
        (
            AGENT.replace("}", ", llm: 4}"),
            'agents.yaml:1:46: agents.a.llm: `4` is read by YAML as a number; put it in quotes: "4"',
        ),
        (
            AGENT.replace("}", ", llm: {temperature: 1}}"),
            "agents.yaml:1:46: agents.a.llm: names no model; add `model: …`",
        ),
        (
            AGENT.replace("}", ", tools: x}"),
            "agents.yaml:1:48: agents.a.tools: `x` is no list; write `[…]`",
        ),
        (
            AGENT.replace(
                "}", ", tools: [4, 'a b', 'x:', 'custom:../x', 'custom:count', 'platform:']}"
            ),
            "agents.yaml:1:49: agents.a.tools[0]: 4 is no tool; name a class of `crewai_tools`, `module:Class`, or `custom:name` for `tools/name.py`\nagents.yaml:1:52: agents.a.tools[1]: `a b` is no tool; name a class of `crewai_tools`, `module:Class`, or `custom:name` for `tools/name.py`\nagents.yaml:1:59: agents.a.tools[2]: `x:` is no tool; name a class of `crewai_tools`, `module:Class`, or `custom:name` for `tools/name.py`\nagents.yaml:1:65: agents.a.tools[3]: `custom:../x` is no tool; write the name of a file of `tools/`\nagents.yaml:1:80: agents.a.tools[4]: `custom:count` has no `tools/count.py`; create it with a subclass of `BaseTool`\nagents.yaml:1:96: agents.a.tools[5]: `platform:` names no application; write `platform:name`",
        ),
        (
            AGENT.replace("}", ", settings: {max_itr: 3, verbose: 3}}"),
            "agents.yaml:1:52: agents.a.settings.max_itr: is no key of CrewAI here; did you mean `max_iter`?\nagents.yaml:1:73: agents.a.settings.verbose: 3 is neither true nor false; write `true` or `false`",
        ),
        (
            AGENT.replace("}", ", callbacks: [x]}"),
            "agents.yaml:1:52: agents.a.callbacks: `x` names nothing that can be found; write `{python: module.name}`",
        ),
        (
            AGENT.replace("}", ", type: Agnet}"),
            "agents.yaml:1:47: agents.a.type: `Agnet` is no type; use `Agent`, or write `{python: module.Class}`",
        ),
        (
            AGENT.replace("}", ", tool_failure_policy: rais}"),
            "agents.yaml:1:62: agents.a.tool_failure_policy: `rais` is none of `ignore`, `warn` or `raise`; did you mean `raise`?",
        ),
        (
            AGENT.replace("}", ", checkpoint: true}"),
            "agents.yaml:1:41: agents.a.checkpoint: makes a later run answer what an earlier one said, and writes API keys into a file; remove it, the journal keeps what runs did",
        ),
    ],
)
def test_mistakes_in_agents(mistakes: Mistakes, text: str, message: str) -> None:
    assert mistakes({"agents.yaml": text}) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "tasks.yaml:1:1: is empty; write tasks, each under its name"),
        ("hello", "tasks.yaml:1:1: is `hello`; write tasks, each under its name"),
        ("[]", "tasks.yaml:1:1: is empty; write tasks, each under its name"),
        (
            "t: do it\n",
            "tasks.yaml:1:4: tasks.t: `do it` is no task; write `description: …`, `expected_output: …`",
        ),
        (
            "- do it\n",
            "tasks.yaml:1:3: tasks[0]: `do it` is no task; write `description: …`, `expected_output: …`",
        ),
        (
            TASK.replace("}", ", contxt: [x]}"),
            "tasks.yaml:1:51: tasks.t.contxt: is no key of CrewAI here; did you mean `context`?",
        ),
        (
            TASK.replace("}", ", callbacks: [x]}"),
            "tasks.yaml:1:51: tasks.t.callbacks: is no key of CrewAI here; did you mean `callback`?",
        ),
        (
            "t: {description: d, expected_output: e, agent: analyst}\n",
            "tasks.yaml:1:48: tasks.t.agent: `analyst` is no agent of agents.yaml; use `a`",
        ),
        (
            "t: {agent: a}\n",
            "tasks.yaml:1:4: tasks.t.description: is missing; add `description: …`\ntasks.yaml:1:4: tasks.t.expected_output: is missing; add `expected_output: …`",
        ),
        (
            "t: {description: d, expected_output: e}\n",
            "tasks.yaml:1:4: tasks.t.agent: is missing; add `agent: …` with `a`",
        ),
        (
            "- {description: d, expected_output: e}\n",
            "tasks.yaml:1:3: tasks[0].agent: is missing; add `agent: …` with `a`",
        ),
        (
            TASK.replace("}", ", context: [u]}"),
            "tasks.yaml:1:61: tasks.t.context[0]: `u` is no task above this one; remove it",
        ),
        (
            TASK.replace("}", ", context: [t]}"),
            "tasks.yaml:1:61: tasks.t.context[0]: is this task; remove it",
        ),
        (
            TASK.replace("}", ", context: u}"),
            "tasks.yaml:1:60: tasks.t.context: `u` is no list of names; write `[name, …]`",
        ),
        (
            "t: {description: d, expected_output: e, agent: a, context: [u]}\nu: {description: d2, expected_output: e, agent: a}\n",
            "tasks.yaml:1:61: tasks.t.context[0]: `u` comes later; move it above `tasks.t`",
        ),
        (
            "tell: {description: d2, expected_output: e, agent: a}\nt: {description: d, expected_output: e, agent: a, context: [tel]}\n",
            "tasks.yaml:2:61: tasks.t.context[0]: `tel` is no task above this one; did you mean `tell`?",
        ),
        (
            TASK + "u: {description: 'd ', expected_output: e, agent: a}\n",
            "tasks.yaml:2:18: tasks.u.description: is the description and expected output of `tasks.t` too, and CrewAI takes one for the other; change one",
        ),
        (
            "- {name: x, description: d, expected_output: e, agent: a}\n- {name: x, description: d2, expected_output: e, agent: a}\n",
            "tasks.yaml:2:10: tasks[1].name: is the name of `tasks[0]` too, and CrewAI takes one for the other; change one",
        ),
        (
            TASK.replace("}", ", name: x}"),
            "tasks.yaml:1:57: tasks.t.name: `x` is another name than `t` above; remove one",
        ),
        (
            TASK.replace("}", ", output_pydantic: Report}"),
            "tasks.yaml:1:68: tasks.t.output_pydantic: `Report` is no schema; write `{python: module.name}`, or a JSON Schema with `type: object`",
        ),
        (
            TASK.replace("}", ", output_json: {a: string}}"),
            "tasks.yaml:1:64: tasks.t.output_json: is no schema of an object; add `type: object` and `properties: …`",
        ),
        (
            TASK.replace("}", ", output_pydantic: {python: shapes.Report}}"),
            "tasks.yaml:1:68: tasks.t.output_pydantic: module `shapes` is not in the folder of the crew; create `shapes.py`",
        ),
        (
            TASK.replace("}", ", output_pydantic: {python: Report}}"),
            "tasks.yaml:1:68: tasks.t.output_pydantic: `Report` is no place in Python; write `module.name`",
        ),
        (
            TASK.replace("}", ", callback: print}"),
            "tasks.yaml:1:61: tasks.t.callback: `print` names nothing that can be found; write `{python: module.name}`",
        ),
        (
            TASK.replace("}", ", guardrail: 4}"),
            'tasks.yaml:1:62: tasks.t.guardrail: `4` is read by YAML as a number; put it in quotes: "4"',
        ),
        (
            TASK.replace("}", ", config: {x: y}}"),
            "tasks.yaml:1:51: tasks.t.config: is merged without being checked; write its keys here instead",
        ),
    ],
)
def test_mistakes_in_tasks(mistakes: Mistakes, text: str, message: str) -> None:
    assert mistakes({"tasks.yaml": text}) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "proces: sequential",
            "crew.yaml:1:1: proces: is no key of CrewAI here; did you mean `process`?",
        ),
        (
            "process: hierarchical",
            "crew.yaml:1:10: process: `hierarchical` needs a manager; add `manager_llm` or `manager_agent`",
        ),
        (
            "process: sequentail",
            "crew.yaml:1:10: process: `sequentail` is none of `sequential` or `hierarchical`; did you mean `sequential`?",
        ),
        (
            "process: [x]",
            "crew.yaml:1:10: process: a list is none of `sequential` or `hierarchical`; use one of these",
        ),
        (
            "checkpoint: {location: x}",
            "crew.yaml:1:1: checkpoint: makes a later run answer what an earlier one said, and writes API keys into a file; remove it, the journal keeps what runs did",
        ),
        (
            "stream: true",
            "crew.yaml:1:1: stream: hands over an answer in pieces, and a run needs it whole; remove it",
        ),
        (
            "agents: []\ntasks: []",
            "crew.yaml:1:1: agents: stands in `agents.yaml`; move it there\ncrew.yaml:2:1: tasks: stands in `tasks.yaml`; move it there",
        ),
        (
            "inputs: [x]",
            "crew.yaml:1:9: inputs: a list is no mapping; write `key: value` lines below it",
        ),
        (
            "process: hierarchical\nmanager_agent: bos",
            "crew.yaml:2:16: manager_agent: `bos` is no agent of agents.yaml; use `a`",
        ),
        (
            "process: hierarchical\nmanager_agent: a",
            "crew.yaml:2:16: manager_agent: `a` manages no agent; add another one",
        ),
        (
            "process: hierarchical\nmanager_agent: [b]",
            "crew.yaml:2:16: manager_agent: a list is no agent; name one, or write `{python: module.agent}`",
        ),
        ("", "crew.yaml:1:1: is empty; write settings such as `process: sequential`"),
        ("- x", "crew.yaml:1:1: is a list; write settings such as `process: sequential`"),
    ],
)
def test_mistakes_in_settings_of_the_crew(mistakes: Mistakes, text: str, message: str) -> None:
    assert mistakes({"crew.yaml": text}) == message


def test_every_mistake_is_told_at_once(mistakes: Mistakes) -> None:
    files = {
        "crew.yaml": "proces: sequential\n",
        "agents.yaml": AGENT.replace("role", "rol"),
        "tasks.yaml": TASK.replace("agent: a", "agent: b"),
    }
    assert mistakes(files).split("\n") == [
        "agents.yaml:1:4: agents.a.role: is missing; add `role: …`",
        "agents.yaml:1:5: agents.a.rol: is no key of CrewAI here; did you mean `role`?",
        "tasks.yaml:1:48: tasks.t.agent: `b` is no agent of agents.yaml; did you mean `a`?",
        "crew.yaml:1:1: proces: is no key of CrewAI here; did you mean `process`?",
    ]


def test_a_mistake_is_no_warning_as_well(
    mistakes: Mistakes, recwarn: pytest.WarningsRecorder
) -> None:
    mistakes({"agents.yaml": AGENT.replace("}", ", max_rpm: 5, goall: x}")})
    assert not list(recwarn)


def test_secrets_are_not_shown(mistakes: Mistakes) -> None:
    told = mistakes({"agents.yaml": AGENT.replace("}", ", llm: {api_key: sk-123}}")})
    assert told == "agents.yaml:1:46: agents.a.llm: names no model; add `model: …`"
