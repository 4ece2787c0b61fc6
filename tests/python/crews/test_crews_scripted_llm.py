"""`ScriptedLLM`: real crews of CrewAI whose model says what is written down."""

import asyncio
import copy
import logging
import re
import subprocess
import sys
import threading
import time

import pytest
from pydantic import BaseModel, Field, ValidationError

from live_crew.crews.seams import Agent, BaseTool, Crew, Task
from live_crew.errors import LiveCrewError
from live_crew.testing import ProviderError, Reply, Request, ScriptedLLM, ScriptError, ToolCall

BOTH_MODES = pytest.mark.parametrize("native", [True, False], ids=["native", "text"])


@pytest.fixture(autouse=True)
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "storage"))


class Add(BaseTool):
    name: str = "Add Numbers"
    description: str = "adds two numbers"
    ran: list[tuple[int, int]] = Field(default_factory=list)

    def _run(self, a: int, b: int) -> str:
        self.ran.append((a, b))
        return f"the sum is {a + b}"


class Title(BaseModel):
    title: str
    words: int = 1


def crew_of(llm, *, tools=(), role="Clerk", **task):
    clerk = Agent(role=role, goal="answer", backstory="Works.", llm=llm, tools=list(tools))
    given = {"description": "say something", "expected_output": "a text", **task}
    return Crew(agents=[clerk], tasks=[Task(agent=clerk, **given)])


def words(text):
    return len(text.split())


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


def test_a_mistake_is_told_at_once_whatever_the_prompt_says():
    """CrewAI waits and tries again when a message reads like a rate limit."""
    started = time.monotonic()
    with pytest.raises(ScriptError, match="too many requests"):
        crew_of(ScriptedLLM([]), description="explain: rate limit, too many requests").kickoff()
    assert time.monotonic() - started < 0.9


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


def test_several_tools_at_once_are_for_function_calling():
    llm = ScriptedLLM([Reply(tool_calls=[ToolCall("add_numbers")] * 2)], native_tools=False)
    with pytest.raises(ScriptError, match="give one answer for each"):
        crew_of(llm, tools=[Add()]).kickoff()


def test_a_thought_before_a_tool_is_part_of_the_text():
    call = ToolCall("add_numbers", {"a": 1, "b": 2})
    llm = ScriptedLLM([Reply("I add.", tool_calls=[call]), "three"], native_tools=False)
    assert crew_of(llm, tools=[Add()]).kickoff().raw == "three"
    assert "Thought: I add.\nAction: add_numbers" in llm.calls[1].text


@BOTH_MODES
def test_a_tool_the_agent_does_not_have(native):
    llm = ScriptedLLM([ToolCall("ad_numbers")], native_tools=native)
    with pytest.raises(ScriptError, match="no tool `ad_numbers`; did you mean `add_numbers`") as _:
        crew_of(llm, tools=[Add()]).kickoff()
    assert len(llm.calls) == 1


def test_a_tool_of_an_agent_without_tools():
    with pytest.raises(ScriptError, match="agent `Clerk` has no tools here"):
        crew_of(ScriptedLLM([ToolCall("add")])).kickoff()


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


# failures and delays


def test_an_agent_tries_again_after_a_failure():
    llm = ScriptedLLM([ProviderError(500), ConnectionError, "hello"])
    assert crew_of(llm).kickoff().raw == "hello"
    assert [type(call.answer) for call in llm.calls] == [ProviderError, ConnectionError, str]
    llm.assert_complete()


def test_a_rate_limit_is_tried_again_by_the_model():
    llm = ScriptedLLM([ProviderError(429), ProviderError(429), "hello"])
    assert llm.call("x") == "hello"
    llm = ScriptedLLM(ProviderError(429))
    with pytest.raises(ProviderError, match="429 Too Many Requests"):
        crew_of(llm).kickoff()
    assert len(llm.calls) == 3 * 3, "tries of the model and tries of the agent"


def test_a_rate_limit_says_when_to_try_again():
    llm = ScriptedLLM([ProviderError(429, "slow down", retry_after=0.05), "hello"])
    started = time.monotonic()
    assert llm.call("x") == "hello"
    assert time.monotonic() - started >= 0.05


def test_a_delay_is_waited_for():
    llm = ScriptedLLM([Reply("hello", delay=0.04)], delay=0.02)
    started = time.monotonic()
    assert llm.call("x") == "hello"
    assert time.monotonic() - started >= 0.06


async def test_a_delay_leaves_an_event_loop_free():
    llm = ScriptedLLM("hello", delay=0.05)
    started = time.monotonic()
    assert await asyncio.gather(*(llm.acall("x") for _ in range(20))) == ["hello"] * 20
    assert time.monotonic() - started < 0.9


def test_a_delay_can_be_interrupted():
    llm = ScriptedLLM("hello", delay=50)
    other = copy.copy(llm)
    failed = []

    def ask():
        try:
            llm.call("x")
        except InterruptedError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    llm.interrupt()
    asking.join(10)
    assert len(failed) == 1
    with pytest.raises(InterruptedError):
        llm.call("x")
    other.delay = 0
    assert other.call("x") == "hello", "a copy is not interrupted with another"
    llm.reset()
    llm.delay = 0
    assert llm.call("x") == "hello"


# what is left to see


def test_calls_tell_what_was_asked():
    llm = ScriptedLLM("hello")
    crew_of(llm, name="talk").kickoff()
    (call,) = llm.calls
    assert (call.agent, call.task, call.tools, call.answer) == ("Clerk", "talk", (), "hello")
    assert [one["role"] for one in call.messages] == ["system", "user"]
    assert call.prompt.strip().startswith("Current Task: say something")
    assert "You are Clerk. Works." in call.text


def test_complete_is_when_everything_was_said():
    llm = ScriptedLLM(["a", {"b": 1}], rules={"zebra": ["striped"]}, default="c")
    llm.call("x")
    with pytest.raises(AssertionError) as left:
        llm.assert_complete()
    assert str(left.value).splitlines() == [
        "the script is not complete:",
        "rule /zebra/: not said: striped",
        "not said: {'b': 1}",
    ]
    llm.call("zebra")
    llm.call("x")
    llm.assert_complete()


def test_reset_begins_again():
    llm = ScriptedLLM(["a", "b"])
    assert llm.call("x") == "a"
    llm.reset()
    assert llm.calls == []
    assert llm.get_token_usage_summary().total_tokens == 0
    assert [llm.call("x"), llm.call("x")] == ["a", "b"]


def test_tokens_are_words():
    llm = ScriptedLLM("three words here")
    usage = crew_of(llm).kickoff().token_usage
    asked = words(llm.calls[0].text)
    assert (usage.prompt_tokens, usage.completion_tokens) == (asked, 3)
    assert (usage.total_tokens, usage.successful_requests) == (asked + 3, 1)


@BOTH_MODES
def test_tokens_of_tools_are_words_of_what_was_said(native):
    llm = ScriptedLLM([ToolCall("add_numbers", {"a": 1, "b": 2}), "three"], native_tools=native)
    usage = crew_of(llm, tools=[Add()]).kickoff().token_usage
    said = words('add_numbers {"a": 1, "b": 2}')
    if not native:
        said += words("Action: Action Input:")
    assert usage.prompt_tokens == sum(words(call.text) for call in llm.calls)
    assert usage.completion_tokens == said + 1


def test_tokens_may_be_given():
    llm = ScriptedLLM(Reply("hello", usage={"prompt_tokens": 100, "completion_tokens": 7}))
    usage = crew_of(llm).kickoff().token_usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 7, 107)


def test_two_agents_and_what_each_is_asked():
    llm = ScriptedLLM(rules={"You are Writer": "a long text", "You are Critic": ["too long"]})
    writer = Agent(role="Writer", goal="write", backstory="Old.", llm=llm)
    critic = Agent(role="Critic", goal="judge", backstory="Young.", llm=llm)
    write = Task(description="write", expected_output="a text", agent=writer)
    judge = Task(description="judge", expected_output="a word", agent=critic, context=[write])
    result = Crew(agents=[writer, critic], tasks=[write, judge]).copy().kickoff()
    assert [one.raw for one in result.tasks_output] == ["a long text", "too long"]
    assert [call.agent for call in llm.calls] == ["Writer", "Critic"]
    assert "a long text" in llm.calls[1].prompt
    asked = sum(words(call.text) for call in llm.calls)
    assert result.token_usage.total_tokens == asked + words("a long text") + words("too long")
    llm.assert_complete()


async def test_copies_of_a_crew_run_at_once():
    pair = threading.Barrier(2)

    def answer(request):
        pair.wait(20)  # nobody is alone
        return f"hello {re.search('greet ([A-Z])', request.text)[1]}"

    llm = ScriptedLLM(answer)
    template = crew_of(llm, description="greet {name}")
    names = "ABCDEFGH"
    results = await asyncio.gather(
        *(template.copy().akickoff(inputs={"name": name}) for name in names)
    )
    assert [one.raw for one in results] == [f"hello {name}" for name in names]
    assert sorted(call.answer for call in llm.calls) == [f"hello {name}" for name in names]
    asked = words(llm.calls[0].text)
    assert {one.token_usage.total_tokens for one in results} == {asked + 2}
    assert llm.get_token_usage_summary().total_tokens == 0, "each copy counts its own"


def test_in_order_is_in_order_of_arrival_among_copies():
    llm = ScriptedLLM([f"{at}" for at in range(8)])
    copies = [copy.deepcopy(llm) if at % 2 else copy.copy(llm) for at in range(8)]
    said = []
    threads = [
        threading.Thread(target=lambda one=one: said.append(one.call("x"))) for one in copies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [call.answer for call in llm.calls] == [f"{at}" for at in range(8)]
    llm.assert_complete()


# what CrewAI sees


@pytest.fixture
def events():
    from crewai.events.stream_context import add_stream_sink, reset_stream_sinks

    seen = []

    def sink(*args):
        seen.append(args[-1])

    token = add_stream_sink(sink)
    yield seen
    reset_stream_sinks(token)


def test_events_are_those_of_a_provider(events):
    llm = ScriptedLLM([ToolCall("add_numbers", {"a": 1, "b": 2}), ProviderError(500), "three"])
    crew_of(llm, tools=[Add()]).kickoff()
    llm_events = [one for one in events if one.type.startswith("llm_")]
    assert [one.type for one in llm_events][:4] == [
        "llm_call_started",
        "llm_call_completed",
        "llm_call_started",
        "llm_call_failed",
    ]
    done = [one for one in llm_events if one.type == "llm_call_completed"]
    assert [one.finish_reason for one in done] == ["tool_calls", "stop"]
    assert done[-1].response == "three"
    assert done[-1].model == "scripted"
    assert done[-1].usage["completion_tokens"] == 1
    assert done[-1].agent_role == "Clerk"
    assert "500 Internal Server Error" in llm_events[3].error


def test_a_crew_may_stream():
    crew = crew_of(ScriptedLLM("hello dear  world"))
    crew.stream = True
    streaming = crew.kickoff()
    assert [chunk.content for chunk in streaming] == ["hello", " dear", "  world"]
    assert streaming.result.raw == "hello dear  world"


@BOTH_MODES
def test_crewai_has_nothing_to_warn_of(native, capfd):
    warned = []

    class Watch(logging.Handler):
        def emit(self, record):
            warned.append(record.getMessage())

    loggers = [logging.getLogger(), logging.getLogger("crewai")]
    watch = Watch(logging.WARNING)
    for one in loggers:
        one.addHandler(watch)
    try:
        long = "word " * 5000  # more than CrewAI takes for the context of an unknown model
        llm = ScriptedLLM([ToolCall("add_numbers", {"a": 1, "b": 2}), long], native_tools=native)
        crew_of(llm, tools=[Add()], description=long).kickoff()
    finally:
        for one in loggers:
            one.removeHandler(watch)
    assert warned == []
    assert capfd.readouterr() == ("", "")


def test_hooks_may_deny_a_call():
    from crewai.hooks.dispatch import HookAborted, InterceptionPoint, scoped_hooks

    def deny(context):
        raise HookAborted("no budget")

    llm = ScriptedLLM("hello")
    with scoped_hooks({InterceptionPoint.PRE_MODEL_CALL: [deny]}):
        with pytest.raises(HookAborted, match="no budget"):
            llm.call("x")
        with pytest.raises(HookAborted, match="no budget"):
            crew_of(llm).kickoff()
    assert llm.calls == []


def test_importing_the_tests_of_crews_does_not_import_crewai():
    code = (
        "import sys, live_crew.testing as t; t.TestStream, t.Reply, t.ToolCall, t.ProviderError;"
        "assert 'ScriptedLLM' in dir(t); assert 'crewai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
