"""`ScriptedLLM`: real crews of CrewAI whose model says what is written down."""

import re

import pytest
from crew_parts import Add, Title, crew_of, storage
from pydantic import ValidationError

from live_crew.crews.seams import Agent, Crew, Process, Task
from live_crew.errors import LiveCrewError
from live_crew.testing import Reply, Request, ScriptedLLM, ScriptError, ToolCall

__all__ = ["storage"]  # a fixture

BOTH_MODES = pytest.mark.parametrize("native", [True, False], ids=["native", "text"])


# answers


@BOTH_MODES
@pytest.mark.parametrize("tools", [False, True], ids=["plain", "tools"])
def test_a_plain_text_is_what_the_crew_answers(native, tools):
    llm = ScriptedLLM("hello", native_tools=native)
    crew = crew_of(llm, tools=[Add()] if tools else [])
    assert crew.kickoff().raw == "hello"
    assert crew.kickoff().raw == "hello"
    llm.assert_complete()


async def test_a_plain_text_is_what_the_crew_answers_in_an_event_loop():
    llm = ScriptedLLM("hello")
    assert (await crew_of(llm).akickoff()).raw == "hello"
    assert [call.answer for call in llm.calls] == ["hello"]


@pytest.mark.usefixtures("newer")
def test_answers_come_in_order_and_then_it_is_over():
    llm = ScriptedLLM(["first", "second"])
    crew = crew_of(llm)
    assert [crew.kickoff().raw, crew.kickoff().raw] == ["first", "second"]
    with pytest.raises(ScriptError, match="is over after 2 answers; add an answer") as over:
        crew.kickoff()
    assert "The request of agent `Clerk`: Current Task: say something" in str(over.value)
    assert len(llm.calls) == 3, "a mistake in a script is not tried again"


def test_a_model_that_must_not_be_asked():
    llm = ScriptedLLM([])
    llm.assert_complete()
    with pytest.raises(ScriptError, match="is over after 0 answers"):
        crew_of(llm).kickoff()


def test_dicts_and_lists_are_json():
    llm = ScriptedLLM([{"name": "Zoë"}, ["a", 1], Reply([1, 2])])
    assert [llm.call("x") for _ in range(3)] == ['{"name": "Zoë"}', '["a", 1]', "[1, 2]"]


def test_a_function_of_the_request_answers():
    def answer(request: Request):
        assert (request.agent, request.task, request.tools) == ("Clerk", "say something", ())
        return Reply({"asked": "Current Task: say something" in request.prompt})

    assert crew_of(ScriptedLLM(answer)).kickoff().raw == '{"asked": true}'


def test_a_function_that_fails_is_a_model_that_fails():
    def answer(request):
        raise ZeroDivisionError

    llm = ScriptedLLM(answer)
    with pytest.raises(ZeroDivisionError):
        llm.call("x")
    assert isinstance(llm.calls[0].answer, ZeroDivisionError)


@pytest.mark.parametrize("wrong", [5, None, [5], {"when": b"x"}])
def test_what_can_be_no_answer_is_refused_at_once(wrong):
    with pytest.raises(LiveCrewError, match="is no answer; give a text"):
        ScriptedLLM(wrong) if not isinstance(wrong, dict) else ScriptedLLM(rules=wrong)


def test_two_answers_for_always_are_refused():
    with pytest.raises(LiveCrewError, match="second answer for always"):
        ScriptedLLM("a", default="b")


# rules


def test_the_first_rule_that_matches_answers():
    llm = ScriptedLLM(
        rules=[
            (re.compile("ZEBRA", re.IGNORECASE), "striped"),
            (lambda request: "horse" in request.text, "plain"),
            ("horse|cow", "never said"),
        ],
        default="unknown",
    )
    asked = ["a horse", "a zebra, no horse", "a fish"]
    assert [llm.call(one) for one in asked] == ["plain", "striped", "unknown"]
    with pytest.raises(AssertionError, match=r"rule /horse\|cow/: never matched"):
        llm.assert_complete()


def test_rules_see_the_whole_conversation():
    llm = ScriptedLLM(
        rules={"the sum is 3": "three", "You are Clerk": ToolCall("add_numbers", {"a": 1, "b": 2})}
    )
    assert crew_of(llm, tools=[Add()]).kickoff().raw == "three"
    llm.assert_complete()


def test_answers_of_a_rule_come_in_order():
    llm = ScriptedLLM(["other"], rules={"a": ["first", "second"]})
    assert [llm.call(one) for one in "aba"] == ["first", "other", "second"]
    with pytest.raises(ScriptError, match="rule /a/ is over after 2 answers"):
        llm.call("a")


def test_what_no_rule_matches_is_an_error_that_names_the_rules():
    llm = ScriptedLLM(rules={"zebra": "striped", "horse": "plain"})
    with pytest.raises(ScriptError) as wrong:
        crew_of(llm).kickoff()
    message = str(wrong.value)
    assert message.startswith("none of the rules matches (rule /zebra/, rule /horse/); add")
    assert "Current Task: say something" in message
    with pytest.raises(AssertionError, match="call 1: none of the rules"):
        llm.assert_complete()


def test_a_wrong_pattern_is_named():
    with pytest.raises(LiveCrewError, match=r"`\(` is no regular expression: missing \)"):
        ScriptedLLM(rules={"(": "x"})
    with pytest.raises(LiveCrewError, match="5 is nothing to match with"):
        ScriptedLLM(rules=[(5, "x")])


@pytest.mark.usefixtures("newer")
def test_a_mistake_is_told_at_once_whatever_the_prompt_says(monkeypatch):
    """CrewAI waits and tries again when a message reads like a rate limit."""
    waited = []
    wait = lambda **_: waited.append(1) or 0  # noqa: E731
    monkeypatch.setattr("crewai.llms.retry.get_retry_delay_seconds", wait)
    with pytest.raises(ScriptError, match="too many requests"):
        crew_of(ScriptedLLM([]), description="explain: rate limit, too many requests").kickoff()
    assert waited == []


# tools


@BOTH_MODES
@pytest.mark.parametrize("name", ["Add Numbers", "add_numbers"])
def test_tools_run_for_real(native, name):
    add = Add()
    llm = ScriptedLLM([ToolCall(name, {"a": 1, "b": 2}), "three"], native_tools=native)
    assert crew_of(llm, tools=[add]).kickoff().raw == "three"
    assert add.ran == [(1, 2)]
    first, second = llm.calls
    assert first.tools == second.tools == ("add_numbers",)
    assert first.answer == (ToolCall(name, {"a": 1, "b": 2}),)
    assert "the sum is 3" in second.text
    assert "the sum is 3" not in first.text
    llm.assert_complete()


async def test_tools_run_in_an_event_loop_too():
    add = Add()
    llm = ScriptedLLM([ToolCall("add_numbers", {"a": 1, "b": 2}), "three"])
    assert (await crew_of(llm, tools=[add]).akickoff()).raw == "three"
    assert add.ran == [(1, 2)]


def test_several_tools_at_once():
    add = Add()
    both = [ToolCall("add_numbers", {"a": 1, "b": 2}), ToolCall("add_numbers", {"a": 3, "b": 4})]
    llm = ScriptedLLM([Reply(tool_calls=both), "done"])
    assert crew_of(llm, tools=[add]).kickoff().raw == "done"
    assert sorted(add.ran) == [(1, 2), (3, 4)]
    assert [one["content"] for one in llm.calls[1].messages if one["role"] == "tool"] == [
        "the sum is 3",
        "the sum is 7",
    ]


@pytest.mark.usefixtures("newer")
def test_several_tools_at_once_are_for_function_calling():
    llm = ScriptedLLM([Reply(tool_calls=[ToolCall("add_numbers")] * 2)], native_tools=False)
    with pytest.raises(ScriptError, match="give one answer for each"):
        crew_of(llm, tools=[Add()]).kickoff()


def test_a_thought_before_a_tool_is_part_of_the_text():
    call = ToolCall("add_numbers", {"a": 1, "b": 2})
    llm = ScriptedLLM([Reply("I add.", tool_calls=[call]), "three"], native_tools=False)
    assert crew_of(llm, tools=[Add()]).kickoff().raw == "three"
    assert "Thought: I add.\nAction: add_numbers" in llm.calls[1].text


@pytest.mark.usefixtures("newer")
@BOTH_MODES
def test_a_tool_the_agent_does_not_have(native):
    llm = ScriptedLLM([ToolCall("ad_numbers")], native_tools=native)
    with pytest.raises(ScriptError, match="no tool `ad_numbers`; did you mean `add_numbers`") as _:
        crew_of(llm, tools=[Add()]).kickoff()
    assert len(llm.calls) == 1


@pytest.mark.usefixtures("newer")
def test_a_tool_of_an_agent_without_tools():
    with pytest.raises(ScriptError, match="agent `Clerk` has no tools; say a text"):
        crew_of(ScriptedLLM([ToolCall("add")])).kickoff()


def test_an_agent_that_calls_tools_without_end():
    """CrewAI asks for an answer without tools then, as often as `max_iter` says."""
    add = Add()
    call = ToolCall("add_numbers", {"a": 1, "b": 2})
    crew = crew_of(ScriptedLLM(rules=[(lambda request: request.tools, call)], default="so far"))
    crew.agents[0].tools = [add]
    crew.agents[0].max_iter = 3
    assert crew.kickoff().raw == "so far"
    assert len(add.ran) >= 1
    crew = crew_of(ScriptedLLM(call), tools=[add])
    crew.agents[0].max_iter = 1
    with pytest.raises(ScriptError, match="this request has no tools; say a text"):
        crew.kickoff()


def test_a_caller_with_functions_gets_what_they_give():
    schema = {"type": "function", "function": {"name": "add", "parameters": {}}}
    llm = ScriptedLLM([ToolCall("add", {"a": 1, "b": 2})])
    functions = {"add": lambda a, b: a + b}
    assert llm.call("x", tools=[schema], available_functions=functions) == "3"


# structured answers


def test_a_structure_is_what_the_crew_answers():
    result = crew_of(ScriptedLLM([{"title": "Up"}]), output_pydantic=Title).kickoff()
    assert result.pydantic == Title(title="Up")


def test_a_structure_after_tools():
    llm = ScriptedLLM([ToolCall("add_numbers", {"a": 1, "b": 2}), {"title": "Up", "words": 3}])
    result = crew_of(llm, tools=[Add()], output_pydantic=Title).kickoff()
    assert result.pydantic == Title(title="Up", words=3)


def test_no_structure_is_an_error_of_the_provider_and_tried_again():
    llm = ScriptedLLM(["no structure", {"title": "Up"}])
    assert crew_of(llm, output_pydantic=Title).kickoff().pydantic == Title(title="Up")
    with pytest.raises(ValidationError):
        crew_of(ScriptedLLM("no structure"), output_json=Title).kickoff()


# crews with more to them


@BOTH_MODES
def test_a_manager_delegates(native):
    task = {"task": "count", "context": "none", "coworker": "Worker"}
    llm = ScriptedLLM(
        rules={
            "You are Crew Manager": [ToolCall("delegate_work_to_coworker", task), "it is 42"],
            "You are Worker": "42",
        },
        native_tools=native,
    )
    worker = Agent(role="Worker", goal="count", backstory="Counts.", llm=llm)
    count = Task(description="count", expected_output="a number")
    process = Process.hierarchical
    crew = Crew(agents=[worker], tasks=[count], process=process, manager_llm=llm)
    assert crew.kickoff().raw == "it is 42"
    assert [call.agent for call in llm.calls] == ["Crew Manager", "Worker", "Crew Manager"]
    llm.assert_complete()


def test_a_guardrail_is_a_model_too():
    llm = ScriptedLLM(
        rules={"Guardrail Agent": [{"valid": False, "feedback": "dull"}, {"valid": True}]},
        default="hello",
    )
    assert crew_of(llm, guardrail="is not dull").kickoff().raw == "hello"
    assert [call.agent for call in llm.calls] == ["Clerk", "Guardrail Agent"] * 2
    assert "dull" in llm.calls[2].prompt


def test_a_plan_is_made_by_a_model():
    steps = [{"task_number": 1, "task": "say", "plan": "first think"}]
    planner = ScriptedLLM([{"list_of_plans_per_task": steps}])
    llm = ScriptedLLM("hello")
    crew = crew_of(llm)
    crew.planning, crew.planning_llm = True, planner
    assert crew.kickoff().raw == "hello"
    assert "first think" in llm.calls[0].prompt
    planner.assert_complete()
