"""What live-crew takes for granted of CrewAI beyond its documented surface, each thing once.

Where a release of CrewAI changes something that `crews/seams.py` stands on, a test here fails, and
its name says what does not hold any more. Everything is asked of CrewAI itself.
"""

import asyncio
import dataclasses
import importlib
import inspect
import signal
import threading

import pytest
from crew_parts import crew_of, storage  # noqa: F401 (an autouse fixture)
from pin_parts import kickoff, within

from live_crew.crews import seams
from live_crew.crews.seams import (
    LLM,
    Agent,
    Crew,
    CrewDefinition,
    Task,
    llm_call_context,
    load_crew_from_definition,
    scoped_hooks,
    set_execution_uuid,
    set_suppress_console_output,
    triggered_by_scope,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


# -- crews and their copies --------------------------------------------------------------------


def test_a_copy_of_a_crew_that_never_ran_says_what_the_crew_says(model, crew):
    llm = model("fine")
    template = crew(llm, "About {word}.")
    copy = template.copy()
    kickoff(copy, word="rain")
    assert "About rain." in llm._asked[0]
    assert template.tasks[0].description == "About {word}."
    assert copy.tasks[0] is not template.tasks[0]
    assert copy.agents[0] is not template.agents[0]


def test_a_copy_after_a_kickoff_is_stale_which_is_why_templates_never_run(model, crew):
    used = crew(model("fine"), "About {word}.")
    kickoff(used, word="rain")
    assert used.copy().tasks[0].description == "About rain."


def test_what_tasks_and_agents_said_at_first_is_kept_after_a_kickoff(model):
    agent = Agent(role="a {w}", goal="g {w}", backstory="b {w}", llm=model("fine"))
    task = Task(description="d {w}", expected_output="e {w}", agent=agent)
    kickoff(Crew(agents=[agent], tasks=[task]), w="x")
    assert (task.description, task.expected_output) == ("d x", "e x")
    assert (task._original_description, task._original_expected_output) == ("d {w}", "e {w}")
    kept = (agent._original_role, agent._original_goal, agent._original_backstory)
    assert kept == ("a {w}", "g {w}", "b {w}")


def test_a_copy_finds_the_tasks_of_its_context_by_what_they_say(model, crew):
    template = crew(model("fine"), "One.", "Two.")
    template.tasks[1].context = [template.tasks[0]]
    copy = template.copy()
    assert copy.tasks[1].context[0] is copy.tasks[0]


def test_models_of_copies_share_their_counters_so_each_gets_its_own(model, crew):
    template = crew(model("fine"))
    copy = template.copy()
    assert copy.agents[0].llm is not template.agents[0].llm
    assert copy.agents[0].llm._token_usage is template.agents[0].llm._token_usage
    fresh = seams.fresh_copy(template)
    kickoff(fresh)
    assert seams.usage_of(fresh)["total_tokens"] == 15
    assert seams.usage_of(template) == {}


def test_counters_of_a_model_are_a_dict_of_numbers(model):
    counters = model("fine")._token_usage
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= counters.keys()
    assert set(map(type, counters.values())) == {int}


def test_a_crew_writes_the_outputs_of_its_tasks_to_its_output_handler_only(model, crew):
    calls = []

    class Handler(seams._NoStore):
        def __getattribute__(self, name):
            if name in {"update", "add", "reset", "load"}:
                calls.append(name)
            return super().__getattribute__(name)

    mine = crew(model("fine"))
    assert {"update", "reset", "load"} <= {*dir(mine._task_output_handler)}
    mine._task_output_handler = Handler()
    kickoff(mine)
    assert "update" in calls
    assert "fine" not in str(crew(model("x"))._task_output_handler.load())


def test_models_of_a_crew_are_fields_of_it_and_its_agents(model, crew):
    mine = crew(model("fine"))
    assert {"llm", "function_calling_llm"} <= vars(mine.agents[0]).keys()
    assert set(seams._CREW_MODELS) <= vars(mine).keys()


def test_a_class_of_crewbase_says_so():
    from crewai.project import CrewBase

    @CrewBase
    class Mine:
        agents_config = None
        tasks_config = None

    assert Mine.is_crew_class is True


def test_an_answer_has_a_raw_text_and_may_have_a_model_json_and_tool_failures(model, crew):
    output = kickoff(crew(model("fine")))
    assert (output.raw, output.pydantic, output.json_dict) == ("fine", None, None)


# -- texts and their variables -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["crewai.task", "crewai.agents.agent_builder.base_agent"])
def test_both_modules_interpolate_by_a_function_of_their_own_name(name):
    interpolate = importlib.import_module(name).interpolate_only
    assert interpolate(input_string="{a} and {b-c}", inputs={"a": 1, "b-c": [2]}) == "1 and [2]"
    # Where a value is a variable again, CrewAI goes on, and we do not.
    assert interpolate(input_string="{a} {b}", inputs={"a": "{b}", "b": "x"}) == "x x"
    with pytest.raises(KeyError, match="'b' not found in inputs"):
        interpolate(input_string="{b}", inputs={"a": 1})
    with pytest.raises(ValueError, match="cannot be empty"):
        interpolate(input_string="{b}", inputs={})
    with pytest.raises(ValueError, match="Unsupported type"):
        interpolate(input_string="{b}", inputs={"b": object()})


def test_tasks_and_agents_interpolate_in_one_pass_within_our_runs(model, crew):
    llm = model("fine")
    mine = crew(llm, "{a} {b}")
    kickoff(mine, lambda: seams._is_ours.set(True), a="{b}", b="x")
    assert "{b} x" in llm._asked[0]


def test_prompts_are_formatted_by_one_function_of_three_names():
    given = {"input": "{tools}", "tool_names": "N", "tools": "T"}
    prompt = "{input} {tool_names} {other}"
    assert seams.AgentExecutor._format_prompt(prompt, given) == "T N {other}"

    def ours():
        seams._is_ours.set(True)
        return seams.AgentExecutor._format_prompt(prompt, given)

    assert within(ours) == "{tools} N {other}"


def test_the_prompt_function_is_what_the_executor_calls(model, crew, monkeypatch):
    seen = []
    original = seams.AgentExecutor._format_prompt

    def watch(prompt, inputs):
        seen.append(set(inputs))
        return original(prompt, inputs)

    monkeypatch.setattr(seams.AgentExecutor, "_format_prompt", staticmethod(watch))
    kickoff(crew(model("fine")))
    assert seen
    assert {"input", "tool_names", "tools"} <= seen[0]


# -- telemetry -----------------------------------------------------------------------------------


def test_telemetry_keeps_the_handlers_it_replaces_by_number(monkeypatch):
    from crewai.telemetry.telemetry import Telemetry

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    telemetry = object.__new__(Telemetry)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    try:
        telemetry._register_shutdown_handlers()
        assert before.items() <= telemetry._original_handlers.items()
        handler = signal.getsignal(signal.SIGTERM)
        assert handler.__module__ == Telemetry.__module__
    finally:
        for number, handler in telemetry._original_handlers.items():
            signal.signal(number, handler)


def test_telemetry_is_one_object_that_is_not_ready_where_it_is_off():
    from crewai.telemetry.telemetry import Telemetry

    assert Telemetry() is Telemetry() is Telemetry._instance
    assert Telemetry().ready is False
    assert Telemetry()._is_telemetry_disabled()


# -- definitions and models ----------------------------------------------------------------------


def definition(**agent):
    return {
        "agents": {"a": {"role": "r", "goal": "g", "backstory": "b", **agent}},
        "tasks": [{"name": "t", "description": "d", "expected_output": "e", "agent": "a"}],
    }


def test_a_definition_is_loaded_as_its_dump_says_with_objects_in_it(model, tmp_path):
    llm = model("fine")
    said = definition(llm=llm)

    class Written(CrewDefinition):
        def model_dump(self, **_):
            return said

    made = load_crew_from_definition(
        Written.model_construct(), source="crew", project_root=tmp_path
    )[0]
    assert isinstance(made, Crew)
    assert made.agents[0].llm is llm


def test_a_definition_with_an_unknown_field_is_refused_by_its_place(model, tmp_path):
    with pytest.raises(Exception, match=r"agents\.a: unsupported field.*wat"):
        load_crew_from_definition(
            definition(llm="gpt-4o-mini", wat=1), source="crew", project_root=tmp_path
        )


def test_a_model_puts_off_its_client_until_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = LLM(model="openai/gpt-4o-mini")
    assert made._client is None
    with pytest.raises((ValueError, ImportError), match="OPENAI_API_KEY"):
        made._get_sync_client()


def test_names_of_tools_are_made_plain_by_one_function():
    assert seams.sanitize_tool_name("Add Numbers") == "add_numbers"


def test_a_model_of_ours_is_called_in_a_thread_and_never_awaited(model, crew):
    llm = model("fine")
    where = []

    async def do():
        set_suppress_console_output(True)
        set_execution_uuid("a run")
        mine = crew(llm)
        where.append(threading.current_thread())
        return await mine.akickoff(inputs={})

    llm._say = lambda _: where.append(threading.current_thread()) or "fine"
    assert within(lambda: asyncio.run(do())).raw == "fine"
    assert where[0] is not where[1]


def test_scopes_are_contexts_that_can_be_entered():
    for function in (scoped_hooks, triggered_by_scope, llm_call_context):
        assert inspect.isfunction(function)
    step = importlib.import_module("crewai.hooks.contexts").StepContext
    names = {one.name for one in dataclasses.fields(step)}
    assert {"kind", "payload"} <= names
