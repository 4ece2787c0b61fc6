"""Crews in folders: what is read, and what CrewAI makes of it."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live_crew.crews.folder import FolderCrew, has_crew_files, read_folder
from live_crew.errors import ConfigError, LiveCrewWarning

if TYPE_CHECKING:
    from live_crew.crews.seams import BaseLLM, Crew

Write = Callable[[dict[str, str]], Path]

AGENTS = """\
researcher:
  role: >
    {topic} Senior Data Researcher
  goal: >
    Uncover cutting-edge developments in {topic}
  backstory: >
    You're a seasoned researcher with a knack for
    the latest developments in {topic}.

reporting_analyst:
  role: >
    {topic} Reporting Analyst
  goal: >
    Create detailed reports based on {topic} data analysis
  backstory: >
    You're a meticulous analyst with a keen eye for detail.
"""
TASKS = """\
research_task:
  description: >
    Conduct a thorough research about {topic}
    the current year is {current_year}.
  expected_output: >
    A list with 10 bullet points, such as {"a": 1}
  agent: researcher

reporting_task:
  description: >
    Expand each topic into a full section for a report.
  expected_output: >
    A fully fledged report, formatted as markdown without '```'
  agent: reporting_analyst
  context: [research_task]
  output_file: report.md
"""
ONE = "a: {role: Scout, goal: g, backstory: b}\n"
TASK = "t: {description: d, expected_output: e, agent: a}\n"


def build(crew: FolderCrew, llm: "BaseLLM | None") -> "Crew":
    from live_crew.crews.build import build

    return build(crew, llm=llm)


@pytest.fixture
def stock(write: Write) -> Path:
    """A project as `crewai create crew` makes it."""
    return write({"desk/config/agents.yaml": AGENTS, "desk/config/tasks.yaml": TASKS}) / "desk"


@pytest.fixture
def one(write: Write) -> Path:
    """A crew of one agent with one task."""
    return write({"desk/agents.yaml": ONE, "desk/tasks.yaml": TASK}) / "desk"


def test_a_stock_project_is_read_without_a_change(stock: Path) -> None:
    crew = read_folder(stock)
    assert crew.name == "desk"
    assert crew.root == stock
    assert crew.files == (stock / "config/agents.yaml", stock / "config/tasks.yaml")
    assert crew.placeholders == {"topic", "current_year"}
    assert crew.default_inputs == {}
    assert crew.definition["agents"]["researcher"]["role"] == "{topic} Senior Data Researcher"
    assert [task["name"] for task in crew.definition["tasks"]] == [
        "research_task",
        "reporting_task",
    ]


def test_a_stock_project_is_built_on_any_model(stock: Path, llm: "BaseLLM") -> None:
    made = build(read_folder(stock), llm)
    assert made.name == "desk"
    assert [agent.llm for agent in made.agents] == [llm, llm]
    first, second = made.tasks
    assert first.agent is made.agents[0]
    assert second.context == [first]
    assert second.output_file == "report.md"
    assert (made.verbose, made.tracing, made.process.value) == (False, False, "sequential")


def test_a_built_crew_can_be_copied_and_run(one: Path, llm: "BaseLLM") -> None:
    template = build(read_folder(one), llm)
    assert str(template.copy().kickoff()) == "polly"
    assert template.tasks[0].output is None


def test_crew_yaml_says_the_rest(write: Write, one: Path, llm: "BaseLLM") -> None:
    agents = ONE.replace("}", ", settings: {verbose: , max_iter: 3}}")
    settings = "name: night desk\nverbose: true\ninputs: {topic: tea}\nmax_rpm:\n"
    write({"desk/agents.yaml": agents, "desk/crew.yaml": settings})
    crew = read_folder(one)
    assert (crew.name, crew.default_inputs) == ("night desk", {"topic": "tea"})
    made = build(crew, llm)
    assert (made.name, made.verbose) == ("night desk", True)
    assert (made.agents[0].verbose, made.agents[0].max_iter) == (False, 3)


def test_tasks_may_be_a_list(write: Write, one: Path, llm: "BaseLLM") -> None:
    tasks = (
        "- {name: see, description: d, expected_output: e, agent: a}\n"
        "- {description: tell, expected_output: e, agent: a, context: [see]}\n"
    )
    write({"desk/tasks.yaml": tasks})
    made = build(read_folder(one), llm)
    assert made.tasks[1].context == [made.tasks[0]]


def test_a_json_crew_has_an_agent_in_each_file(write: Write, llm: "BaseLLM") -> None:
    crew_json = """\
// The desk.
{
  "name": "desk", /* all of it */
  "agents": ["scout"],
  "tasks": [
    {"name": "see", "description": "Look at {topic}", "expected_output": "e", "agent": "scout",},
  ],
  "inputs": {"topic": "https://tea"},
}
"""
    scout = '{"role": "Scout \\ud83d\\ude00", "goal": "g", "backstory": "b", "max_iter": 3}'
    root = write({"d/crew.jsonc": crew_json, "d/agents/scout.json": scout}) / "d"
    crew = read_folder(root)
    assert (crew.name, crew.default_inputs) == ("desk", {"topic": "https://tea"})
    assert crew.placeholders == {"topic"}
    assert crew.files == (root / "crew.jsonc", root / "agents/scout.json")
    made = build(crew, llm)
    assert (made.agents[0].role, made.agents[0].max_iter) == ("Scout 😀", 3)


def test_a_manager_manages(write: Write, one: Path, llm: "BaseLLM") -> None:
    agents = ONE + "boss: {role: Boss, goal: g, backstory: b, llm: openai/gpt-4o}\n"
    write({"desk/agents.yaml": agents, "desk/tasks.yaml": TASK.replace(", agent: a", "")})
    write({"desk/crew.yaml": "process: hierarchical\nmanager_agent: boss\n"})
    made = build(read_folder(one), llm)
    assert [agent.role for agent in made.agents] == ["Scout"]
    assert made.manager_agent is not None
    assert (made.manager_agent.role, made.manager_agent.llm) == ("Boss", llm)


def test_a_model_replaces_every_other_one(write: Write, one: Path, llm: "BaseLLM") -> None:
    agents = ONE.replace("}", ", llm: nobody/x, function_calling_llm: nobody/y}")
    settings = (
        "process: hierarchical\nmanager_llm: nobody/x\nplanning: true\nplanning_llm: nobody/y\n"
        "chat_llm: nobody/z\nfunction_calling_llm: nobody/z\n"
    )
    write({"desk/agents.yaml": agents, "desk/crew.yaml": settings})
    with pytest.warns(LiveCrewWarning, match="a model plans each of them"):
        crew = read_folder(one)
    made = build(crew, llm)
    assert (made.agents[0].llm, made.manager_llm, made.planning_llm) == (llm, llm, llm)
    assert crew.definition["agents"]["a"]["llm"] == "nobody/x"


def test_a_manager_of_the_crew_s_own_code_gets_the_model_too(
    write: Write, one: Path, llm: "BaseLLM"
) -> None:
    code = (
        "from crewai import Agent\n"
        "boss = Agent(role='Boss', goal='g', backstory='b', llm='openai/gpt-4o')\n"
    )
    settings = "process: hierarchical\nmanager_agent: {python: bosses_of_desk.boss}\n"
    write({"desk/bosses_of_desk.py": code, "desk/crew.yaml": settings})
    made = build(read_folder(one), llm)
    assert made.manager_agent is not None
    assert (made.manager_agent.role, made.manager_agent.llm) == ("Boss", llm)


def test_an_inline_schema_makes_a_model(write: Write, one: Path, llm: "BaseLLM") -> None:
    schema = (
        "  output_pydantic:\n    title: Report\n    type: object\n"
        "    properties: {score: {type: integer}}\n    required: [score]\n"
    )
    write({"desk/tasks.yaml": "t:\n  description: d\n  expected_output: e\n  agent: a\n" + schema})
    model = build(read_folder(one), llm).tasks[0].output_pydantic
    assert model is not None
    assert model.model_validate({"score": 3}).model_dump() == {"score": 3}


def test_a_class_of_the_folder_is_a_model(write: Write, one: Path, llm: "BaseLLM") -> None:
    code = "from pydantic import BaseModel\nclass Report(BaseModel):\n    score: int\n"
    task = TASK.replace("}", ", output_pydantic: {python: shapes_of_desk.Report}}")
    write({"desk/shapes_of_desk.py": code, "desk/tasks.yaml": task})
    crew = read_folder(one)
    assert one / "shapes_of_desk.py" in crew.files
    model = build(crew, llm).tasks[0].output_pydantic
    assert model is not None
    assert model.__name__ == "Report"


def test_a_custom_tool_is_made_from_its_file(write: Write, one: Path, llm: "BaseLLM") -> None:
    code = (
        "from crewai.tools import BaseTool\n"
        "class Count(BaseTool):\n"
        "    name: str = 'count'\n"
        "    description: str = 'counts'\n"
        "    def _run(self, text: str) -> str:\n"
        "        return str(len(text))\n"
    )
    agents = ONE.replace("}", ", tools: ['custom:count']}")
    write({"desk/tools/count.py": code, "desk/agents.yaml": agents})
    crew = read_folder(one)
    assert crew.files[-1] == one / "tools/count.py"
    tools = build(crew, llm).agents[0].tools or []
    assert [tool.name for tool in tools] == ["count"]


def test_the_fingerprint_is_of_names_and_bytes(write: Write, one: Path) -> None:
    first = read_folder(one).fingerprint()
    assert len(first) == 32
    assert read_folder(one).fingerprint() == first
    write({"desk/tasks.yaml": TASK + "# more\n"})
    changed = read_folder(one).fingerprint()
    write({"desk/tasks.yaml": TASK, "desk/notes.md": "not of the crew"})
    assert read_folder(one).fingerprint() == first != changed
    (one / "tasks.yaml").rename(one / "tasks.yml")
    assert read_folder(one).fingerprint() != first


def test_a_key_in_a_file_is_not_shown(write: Write, one: Path) -> None:
    write({"desk/agents.yaml": ONE.replace("}", ", llm: {model: x, api_key: sk-123}}")})
    assert "sk-123" not in repr(read_folder(one))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("agents.yaml", True),
        ("config/tasks.yml", True),
        ("crew.json", True),
        ("config/crew.jsonc", True),
        ("desk.runtime.yaml", False),
        ("crew.yaml", False),
        ("agents/a.json", False),
    ],
)
def test_crew_files_are_found(write: Write, name: str, *, found: bool) -> None:
    assert has_crew_files(write({f"desk/{name}": ""}) / "desk") is found


def test_no_folder_has_no_crew_files(folder: Path) -> None:
    assert not has_crew_files(folder / "nothing")


@pytest.mark.parametrize(
    ("file", "text", "remark"),
    [
        (
            "agents.yaml",
            ONE + "b: {role: r, goal: g, backstory: b}\n",
            "agents.yaml:2:1: agents.b: is the agent of no task; give it one, or remove it",
        ),
        (
            "agents.yaml",
            ONE.replace("}", ", max_rpm: 5}"),
            (
                "agents.yaml:1:41: agents.a.max_rpm: a run beyond the "
                "limit sleeps up to a minute; limit runs in the runtime file"
            ),
        ),
        (
            "tasks.yaml",
            TASK.replace("}", ", human_input: true}"),
            (
                "tasks.yaml:1:51: tasks.t.human_input: "
                "no human can answer here; remove it, or let an action ask"
            ),
        ),
        (
            "crew.yaml",
            "memory: true",
            (
                "crew.yaml:1:1: memory: runs of this crew may differ: what one remembers depends "
                "on which ran before it, and on an embedder"
            ),
        ),
    ],
)
def test_what_to_look_at_is_a_warning(
    write: Write, one: Path, file: str, text: str, remark: str
) -> None:
    write({f"desk/{file}": text})
    with pytest.warns(LiveCrewWarning) as told:
        read_folder(one)
    assert [str(one.message) for one in told] == [f"desk/{remark}"]


@pytest.mark.parametrize("text", ["memory: false", "tracing: false\nplanning:", "stream: false"])
def test_what_is_off_is_no_warning(write: Write, one: Path, text: str) -> None:
    write({"desk/crew.yaml": text})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_folder(one)


def test_agents_that_can_be_delegated_to_are_used(write: Write, one: Path) -> None:
    agents = ONE.replace("}", ", allow_delegation: true}")
    write({"desk/agents.yaml": agents + "b: {role: r, goal: g, backstory: b}\n"})
    assert set(read_folder(one).definition["agents"]) == {"a", "b"}


def test_links_may_not_lead_out_of_the_folder(write: Write, one: Path) -> None:
    write({"elsewhere.yaml": TASK})
    (one / "tasks.yaml").unlink()
    (one / "tasks.yaml").symlink_to("../elsewhere.yaml")
    with pytest.raises(ConfigError) as caught:
        read_folder(one)
    assert str(caught.value) == (
        "desk/tasks.yaml: leads out of the folder of the crew; move it there"
    )


def test_a_link_inside_of_the_folder_is_followed(write: Write, one: Path) -> None:
    (one / "tasks.yaml").rename(one / "night.yaml")
    (one / "tasks.yaml").symlink_to("night.yaml")
    assert read_folder(one).definition["tasks"]


def test_a_folder_that_is_a_link_is_read(one: Path) -> None:
    link = one.with_name("link")
    link.symlink_to("desk")
    crew = read_folder(link)
    assert (crew.name, crew.root) == ("link", one)


def test_the_code_of_a_crew_is_in_its_folder(write: Write, one: Path) -> None:
    write({"elsewhere/count.py": "1/0"})
    write({"desk/agents.yaml": ONE.replace("}", ", tools: ['custom:count']}")})
    (one / "tools").symlink_to("../elsewhere")
    with pytest.raises(ConfigError, match=r"desk/tools/count\.py: leads out of the folder"):
        read_folder(one)


def test_a_huge_file_is_not_read(write: Write, one: Path) -> None:
    write({"desk/agents.yaml": "#" * (1 << 20) + ONE})
    with pytest.raises(ConfigError, match=r"desk/agents\.yaml: is larger than 1 MiB"):
        read_folder(one)
