"""What only CrewAI can refuse, and what is told then: the place in the files, and the fix."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live_crew.crews.build import build, connect
from live_crew.crews.folder import FolderCrew, read_folder
from live_crew.errors import ConfigError, LiveCrewWarning

if TYPE_CHECKING:
    from live_crew.crews.seams import BaseLLM, Crew

Write = Callable[[dict[str, str]], Path]

AGENT = "a: {role: Scout, goal: g, backstory: b}\n"
TASK = "t: {description: d, expected_output: e, agent: a}\n"
ANOTHER = "or give `llm:` in the runtime file to use another model"


def ready(crew: FolderCrew, llm: "BaseLLM | None" = None) -> "Crew":
    """The crew as a run finds it that may ask its models."""
    made = build(crew, llm=llm)
    if llm is None:
        connect(crew, made)
    return made


def refusal(write: Write, files: dict[str, str], llm: "BaseLLM | None") -> ConfigError:
    there = {"agents.yaml": AGENT, "tasks.yaml": TASK, **files}
    write({f"desk/{name}": text for name, text in there.items()})
    crew = read_folder("desk")
    with pytest.raises(ConfigError) as caught:
        ready(crew, llm)
    assert all(problem.line and problem.crew == "desk" for problem in caught.value.problems)
    return caught.value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "",
            f"1:4: agents.a: names no model, and `gpt-4.1-mini` needs `OPENAI_API_KEY`, which is not set; set it, {ANOTHER}",
        ),
        (
            "llm: openai/gpt-4o",
            f"1:46: agents.a.llm: model `gpt-4o` needs `OPENAI_API_KEY`, which is not set; set it, {ANOTHER}",
        ),
        (
            "llm: deepseek/deepseek-chat",
            f"1:46: agents.a.llm: model `deepseek/deepseek-chat` needs `DEEPSEEK_API_KEY`, which is not set; set it, {ANOTHER}",
        ),
        (
            "llm: nobody/model",
            f"1:46: agents.a.llm: no provider that is installed has `nobody/model`; correct the name, {ANOTHER}",
        ),
        (
            "settings: {llm: nobody/model}",
            f"1:57: agents.a.settings.llm: no provider that is installed has `nobody/model`; correct the name, {ANOTHER}",
        ),
        (
            "llm: {model: openai/gpt-4o, api_key: sk-123, temperature: hot}",
            "1:99: agents.a.llm.temperature: is refused by CrewAI: input should be a valid number, unable to parse string as a number; correct it",
        ),
        (
            "llm: {model: openai/gpt-4o, api_key: [sk-123]}",
            "1:78: agents.a.llm.api_key: is refused by CrewAI: input should be a valid string; correct it",
        ),
    ],
)
def test_models_that_cannot_be_asked(
    write: Write, monkeypatch: pytest.MonkeyPatch, settings: str, message: str
) -> None:
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    agent = AGENT.replace("}", f", {settings}}}") if settings else AGENT
    assert str(refusal(write, {"agents.yaml": agent}, None)) == f"desk/agents.yaml:{message}"


def test_a_manager_needs_a_model_too(write: Write) -> None:
    files = {
        "agents.yaml": AGENT.replace("}", ", llm: ollama/llama3}"),
        "crew.yaml": "process: hierarchical\nmanager_llm: nobody/model\n",
    }
    assert str(refusal(write, files, None)).startswith(
        "desk/crew.yaml:2:14: manager_llm: no provider that is installed has `nobody/model`"
    )


def test_a_model_with_its_key_is_made(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    write({"desk/agents.yaml": AGENT, "desk/tasks.yaml": TASK})
    made = ready(read_folder("desk"))
    assert made.agents[0].llm is not None


@pytest.mark.parametrize(
    ("file", "setting", "message"),
    [
        (
            "agents.yaml",
            "tools: ['nowhere:Class']",
            "1:49: agents.a.tools[0]: `nowhere:Class` cannot be made: ModuleNotFoundError: no module named 'nowhere'; correct it",
        ),
        (
            "tasks.yaml",
            "tools: ['os:path']",
            "1:59: tasks.t.tools[0]: `os:path` cannot be made: invalid tool ref 'os:path'; expected a class; correct it",
        ),
        (
            "agents.yaml",
            "mcps: ['x y']",
            "1:47: agents.a.mcps: is refused by CrewAI: invalid MCP reference: 'x y'. String references must be an 'https://' URL or a valid slug (e.g. 'notion', 'notion#search', 'crewai-amp:notion'); correct it",
        ),
        (
            "agents.yaml",
            "executor_class: X",
            "1:57: agents.a.executor_class: is refused by CrewAI: unknown executor class: X; correct it",
        ),
        (
            "agents.yaml",
            "settings: {executor_class: X}",
            "1:68: agents.a.settings.executor_class: is refused by CrewAI: unknown executor class: X; correct it",
        ),
        (
            "agents.yaml",
            "tools: [{x: 1}]",
            "1:49: agents.a.tools[0].name: is missing; add `name: …`\ndesk/agents.yaml:1:49: agents.a.tools[0].description: is missing; add `description: …`",
        ),
        (
            "tasks.yaml",
            "output_file: ../x.md",
            "1:64: tasks.t.output_file: is refused by CrewAI: path traversal attempts are not allowed in output_file paths; correct it",
        ),
        (
            "tasks.yaml",
            "output_json: {type: object, properties: {a: {type: strin}}}",
            "1:64: tasks.t.output_json: is refused by CrewAI: unsupported JSON schema type: strin from {'type': 'strin'}; correct it",
        ),
    ],
)
def test_what_crewai_refuses(
    write: Write, llm: "BaseLLM", file: str, setting: str, message: str
) -> None:
    text = {"agents.yaml": AGENT, "tasks.yaml": TASK}[file].replace("}", f", {setting}}}")
    if "mcps" in setting:
        with pytest.warns(LiveCrewWarning):
            error = refusal(write, {file: text}, llm)
    else:
        error = refusal(write, {file: text}, llm)
    assert str(error) == f"desk/{file}:{message}"


def test_a_tool_that_is_of_no_package_is_named(write: Write, llm: "BaseLLM") -> None:
    error = refusal(write, {"tasks.yaml": TASK.replace("}", ", tools: [NoSuchTool]}")}, llm)
    assert str(error).startswith("desk/tasks.yaml:1:59: tasks.t.tools[0]: `NoSuchTool` is ")


def test_a_setting_of_the_crew_that_crewai_refuses(write: Write, llm: "BaseLLM") -> None:
    error = refusal(write, {"crew.yaml": "embedder: {provider: nobody}"}, llm)
    assert str(error).startswith("desk/crew.yaml:1:22: embedder.provider: is none of ")
    assert len(error.problems) == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1/0", "ZeroDivisionError: division by zero; correct it"),
        ("def", "SyntaxError: invalid syntax (count.py, line 1); correct it"),
        ("", "no BaseTool subclass found in "),
    ],
)
def test_a_custom_tool_that_cannot_be_made(
    write: Write, llm: "BaseLLM", code: str, message: str
) -> None:
    agents = AGENT.replace("}", ", tools: ['custom:count']}")
    error = refusal(write, {"agents.yaml": agents, "tools/count.py": code}, llm)
    start = "desk/agents.yaml:1:49: agents.a.tools[0]: `custom:count` cannot be made: "
    assert str(error).startswith(start + message)
    assert error.__cause__ is not None


def test_an_error_of_the_crew_s_own_code_is_named(write: Write, llm: "BaseLLM") -> None:
    task = TASK.replace("}", ", output_pydantic: {python: broken_of_desk.Report}}")
    error = refusal(write, {"tasks.yaml": task, "broken_of_desk.py": "1/0"}, llm)
    assert str(error) == (
        "desk/tasks.yaml:1:68: tasks.t.output_pydantic: is refused by CrewAI: failed to import "
        "Python reference 'broken_of_desk.Report': ZeroDivisionError: division by zero; correct it"
    )


def test_a_key_newer_than_crewai_is_named(
    write: Write, llm: "BaseLLM", monkeypatch: pytest.MonkeyPatch
) -> None:
    from live_crew.crews import checks

    monkeypatch.setitem(checks.AGENT, "telepathy", "truth")
    error = refusal(write, {"agents.yaml": AGENT.replace("}", ", telepathy: true}")}, llm)
    assert str(error) == (
        "desk/agents.yaml:1:41: agents.a.telepathy: is no key of the CrewAI that is installed; "
        "remove it, or update CrewAI"
    )
