"""What only loading a crew shows of its runtime file: told with file, line and column."""

import sys

import pytest

from live_crew.cli.validate import check

CONFIG = "crews:\n  - runtime: a.runtime.yaml\n"
PROMPT = "triggers: [a]\nuser_template: hi\n"
NEEDS = "needs: [{type: crew, crew: a, offset: 0}]\n"
MODELS = "number = 5\n\ndef makes():\n    return 5\n\ndef raises():\n    1 / 0\n"


@pytest.fixture
def told(write, folder, monkeypatch):
    """Everything that `validate` says of some files."""

    def told(files):
        write({"live_crew_config.yaml": CONFIG, **files})
        return "\n".join(map(str, check(None)[1]))

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules, path = set(sys.modules), list(sys.path)
    yield told
    sys.path[:] = path
    for name in {"models", "broken"} & (set(sys.modules) - modules):
        del sys.modules[name]


@pytest.mark.parametrize(
    ("llm", "message"),
    [
        ("{script: nope.yaml}", "script `nope.yaml` is not there; name a file of answers"),
        ("{script: .}", "script `.` is a folder; name a file of answers"),
        ("{python: 'nope:x'}", "`python: nope:x`: cannot import `nope`"),
        ("{python: 'models:makse'}", "`models` has no `makse`; did you mean `makes`?"),
        ("{python: models}", "`python: models` names no object; write `module:attribute`"),
        ("{python: 'models:number'}", "`python: models:number` gives 5, no model; give a `crewai"),
        ("{python: 'models:makes'}", "`python: models:makes` gives 5, no model; give a `crewai"),
        ("{python: 'models:raises'}", "raised ZeroDivisionError: division by zero (models.py:7)"),
        ("{python: 'broken:x'}", "raised ZeroDivisionError: division by zero (broken.py:1)"),
        ("openai/gpt-4o", "model `openai/gpt-4o` needs `OPENAI_API_KEY`, which is not set; set it"),
        ("{model: nope/thing}", "no provider that is installed has `nope/thing`; correct the name"),
    ],
)
def test_a_model_that_cannot_be_made_is_told_where_it_is_said(told, llm, message):
    own = {"models.py": MODELS, "broken.py": "1 / 0\n"}
    said = told({"a.runtime.yaml": f"{PROMPT}llm: {llm}\n", **own})
    assert said.startswith("a.runtime.yaml:3:6: llm: ")
    assert message in said
    said = told({"a.runtime.yaml": PROMPT, "live_crew_config.yaml": f"{CONFIG}llm: {llm}\n"})
    assert said.startswith("live_crew_config.yaml:3:6: llm: ")
    assert message in said


def test_a_script_that_is_broken_is_told_with_its_own_lines(told):
    runtime = {"a.runtime.yaml": f"{PROMPT}llm: {{script: answers.yaml}}\n"}
    said = told({**runtime, "answers.yaml": "rules:\n  - {wen: x, say: y}\n"})
    assert "answers.yaml:2:6: rules[0].wen: is no setting; did you mean `when`?" in said
    assert told({**runtime, "answers.yaml": "default: [x\n"}).startswith("answers.yaml:2:1: a list")


def test_a_prompt_without_any_model_is_told_so(told):
    assert told({"a.runtime.yaml": PROMPT}) == (
        "a.runtime.yaml:2:16: user_template: has no model to ask; "
        "add `llm: openai/gpt-4o-mini` here or in the configuration"
    )


def test_a_prompt_beside_a_crew_is_not_passed_over(told):
    said = told(
        {
            "live_crew_config.yaml": "crews:\n  - path: desk\n",
            "desk/agents.yaml": "a: {role: Scout, goal: g, backstory: b}\n",
            "desk/tasks.yaml": "t: {description: d, expected_output: e, agent: a}\n",
            "desk/desk.runtime.yaml": PROMPT,
        }
    )
    assert said == (
        "desk/desk.runtime.yaml:2:1: user_template: "
        "is a prompt beside a crew; remove this, or where the crew is"
    )


def test_a_folder_without_a_runtime_file_is_told_what_to_create(told):
    said = told({"live_crew_config.yaml": "crews:\n  - path: desk\n", "desk/agents.yaml": "a: {}"})
    assert said == (
        "live_crew_config.yaml:2:11: crews[0].path: "
        "`desk` has no `desk.runtime.yaml`; create it or add `runtime:`"
    )


def test_a_mistake_in_one_crew_hides_none_of_the_others(told):
    """Of a runtime file, of a crew's own files, and of what only building a crew shows."""
    said = told(
        {
            "live_crew_config.yaml": "crews:\n"
            "  - runtime: a.runtime.yaml\n"
            "  - path: desk\n"
            "  - runtime: b.runtime.yaml\n"
            "  - python: models:raises\n",
            "a.runtime.yaml": f"{PROMPT}trigers: [b]\n",
            "b.runtime.yaml": f"{PROMPT}{NEEDS}llm: {{script: nope.yaml}}\n",
            "desk/desk.runtime.yaml": "triggers: [a]\n",
            "desk/agents.yaml": "a: {role: r, goal: g, bakstory: b}\n",
            "desk/tasks.yaml": "t: {description: d, expected_output: e, agent: b}\n",
            "models.py": MODELS,
        }
    )
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "a.runtime.yaml:3:1",
        "desk/agents.yaml:1:4",
        "desk/agents.yaml:1:23",
        "desk/tasks.yaml:1:48",
        "b.runtime.yaml:4:6",
        "live_crew_config.yaml:5:13",
    ], said
