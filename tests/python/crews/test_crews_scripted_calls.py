"""`ScriptedLLM` as it fails, waits, counts and is counted, in real crews of CrewAI."""

import asyncio
import copy
import logging
import pickle
import re
import subprocess
import sys
import threading
import time

import pytest
from crew_parts import Add, crew_of, storage

from live_crew.crews.seams import Agent, Crew, Task
from live_crew.testing import ProviderError, Reply, ScriptedLLM, ScriptError, ToolCall

__all__ = ["storage"]  # a fixture

BOTH_MODES = pytest.mark.parametrize("native", [True, False], ids=["native", "text"])


def words(text):
    return len(text.split())


# failures and delays


def test_an_agent_tries_again_after_a_failure():
    llm = ScriptedLLM([ProviderError(500), ConnectionError, "hello"])
    assert crew_of(llm).kickoff().raw == "hello"
    assert [type(call.answer) for call in llm.calls] == [ProviderError, ConnectionError, str]
    llm.assert_complete()


@pytest.mark.usefixtures("newer")
def test_a_rate_limit_is_tried_again_by_the_model():
    llm = ScriptedLLM([ProviderError(429), ProviderError(429), "hello"])
    assert llm.call("x") == "hello"
    llm = ScriptedLLM(ProviderError(429))
    with pytest.raises(ProviderError, match="429 Too Many Requests"):
        crew_of(llm).kickoff()
    assert len(llm.calls) == 3 * 3, "tries of the model and tries of the agent"


@pytest.mark.usefixtures("newer")
def test_a_rate_limit_says_when_to_try_again():
    llm = ScriptedLLM([ProviderError(429, "slow down", retry_after=0.05), "hello"])
    started = time.monotonic()
    assert llm.call("x") == "hello"
    assert time.monotonic() - started >= 0.05


def test_a_failure_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(ProviderError(429, "slow down", retry_after=1)))
    assert (str(error), error.status_code, error.headers) == (
        "slow down",
        429,
        {"retry-after": "1"},
    )
    assert str(ProviderError(599)) == "599 error"
    with pytest.raises(ScriptError) as over:
        ScriptedLLM([]).call("x")
    again = pickle.loads(pickle.dumps(over.value))
    assert isinstance(again, ScriptError)
    assert str(again) == str(over.value)


def test_a_delay_is_waited_for():
    llm = ScriptedLLM([Reply("hello", delay=0.04)], delay=0.02)
    started = time.monotonic()
    assert llm.call("x") == "hello"
    assert time.monotonic() - started >= 0.06


async def test_a_delay_leaves_an_event_loop_free():
    llm = ScriptedLLM("hello", delay=0.3)
    started = time.monotonic()
    assert await asyncio.gather(*(llm.acall("x") for _ in range(20))) == ["hello"] * 20
    assert time.monotonic() - started < 20 * 0.3 / 2


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


async def test_a_run_that_was_given_up_need_not_be_waited_for():
    """CrewAI leaves the thread that waits for a model behind."""
    crew = crew_of(ScriptedLLM("hello", delay=50)).copy()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(crew.akickoff(), 0.2)
    started = time.monotonic()
    for agent in crew.agents:
        agent.llm.interrupt()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - started < 25


# what is left to see


def test_calls_tell_what_was_asked():
    llm = ScriptedLLM("hello")
    crew_of(llm, name="talk").kickoff()
    (call,) = llm.calls
    assert (call.agent, call.task, call.tools, call.answer) == ("Clerk", "talk", (), "hello")
    assert [one["role"] for one in call.messages] == ["system", "user"]
    assert call.prompt.strip().startswith("Current Task: say something")
    assert "You are Clerk. Works." in call.text


def test_calls_are_kept_within_bounds(monkeypatch):
    monkeypatch.setattr("live_crew.testing._script._MOST_CALLS", 3)
    llm = ScriptedLLM(lambda request: request.prompt)
    for at in range(5):
        llm.call(f"{at}")
    assert [call.answer for call in llm.calls] == ["2", "3", "4"]


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


@pytest.mark.usefixtures("newer")
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
