"""Answers that are more than text, and crews that are more than one agent, recorded and served."""

import json

import pytest
from traffic_parts import DONE, LOOK, Report, run, texts

from live_crew.testing import Recorder


def test_models_of_answers_come_back_as_models(crew, model, events):
    recorder = Recorder()
    answer = Report(title="t", key_points=["a", "b"])
    mine = crew(model(answer.model_dump_json()), output_pydantic=Report)
    _, first = run(mine, events({}), recorder)
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert second.digests == first.digests
    assert [action.payload for action in second.actions] == [answer.model_dump()]


@pytest.fixture
def native():
    """A model that calls tools natively, with the objects or the dicts of OpenAI."""
    from live_crew.crews.seams import BaseLLM

    class NativeLLM(BaseLLM):
        def supports_function_calling(self):
            return True

        def call(self, messages, *_, **about):
            self._calls.append(messages)
            if any(message["role"] == "tool" for message in messages):
                results = [one["content"] for one in messages if one["role"] == "tool"]
                return "; ".join(sorted(results))
            return self._wants

        def get_context_window_size(self):
            return 100_000

    def make(*wants):
        llm = NativeLLM(model="native")
        object.__setattr__(llm, "_wants", list(wants))
        object.__setattr__(llm, "_calls", [])
        return llm

    return make


def wanted(word, number, *, as_object):
    arguments = json.dumps({"word": word})
    if not as_object:
        called = {"name": "look", "arguments": arguments}
        return {"id": f"call_{number}", "type": "function", "function": called}
    from openai.types.chat.chat_completion_message_function_tool_call import (
        ChatCompletionMessageFunctionToolCall as ToolCall,
    )
    from openai.types.chat.chat_completion_message_function_tool_call import Function

    called = Function(name="look", arguments=arguments)
    return ToolCall(id=f"call_{number}", type="function", function=called)


@pytest.mark.parametrize("as_object", [True, False])
def test_native_tool_calls_are_served(as_object, crew, native, look, events):
    words = ["a", "b", "c", "d"]
    llm = native(*(wanted(word, at, as_object=as_object) for at, word in enumerate(words)))
    mine = crew(llm, tools=[look])
    recorder = Recorder()
    _, first = run(mine, events({}), recorder)
    assert sorted(look.found) == words, first.errors
    assert [call.sort for call in recorder.calls] == ["llm", *["tool"] * 4, "llm"]
    called = len(llm._calls)
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert second.digests == first.digests
    assert (len(look.found), len(llm._calls)) == (4, called)


def test_tool_calls_without_an_id_are_the_same_each_time(crew, native, look, events):
    call = {"function": {"name": "look", "arguments": '{"word": "a"}'}, "type": "function"}
    mine = crew(native(call), tools=[look])
    recorder = Recorder()
    run(mine, events({}), recorder)
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert texts(second) == ["<a> is number 1"]


def test_functions_that_are_tools_are_served_too(crew, steps, native, events):
    from crewai.tools import tool

    called = []

    @tool("look")
    async def look(word: str) -> str:
        """Looks a word up."""
        called.append(word)
        return f"<{word}>"

    for llm in (
        steps(LOOK.format("x"), DONE.format("found")),
        native(wanted("x", 1, as_object=False)),
    ):
        recorder = Recorder()
        mine = crew(llm, tools=[look])
        _, first = run(mine, events({}), recorder)
        assert called == ["x"], first.errors
        assert [call.answer for call in recorder.calls if call.sort == "tool"] == ["<x>"]
        with recorder.serving():
            _, second = run(mine, events({}), recorder)
        assert second.digests == first.digests
        assert called.pop() == "x"
        assert not called


@pytest.mark.usefixtures("newer")
def test_what_providers_say_of_the_length_of_texts_is_served(crew, events):
    from live_crew.crews.seams import BaseLLM

    counted = []

    class CountingLLM(BaseLLM):
        def call(self, messages, *_, **about):
            return "done"

        def get_input_tokens_count(self, messages, tools=None, response_model=None):
            counted.append(messages)
            return 7

    mine = crew(CountingLLM(model="counting"))
    recorder = Recorder()
    _, first = run(mine, events({}), recorder)
    asked = len(counted)
    assert asked
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert (second.digests, len(counted)) == (first.digests, asked)
    assert [call.sort for call in recorder.calls] == ["llm"]


def delegating(llm, process, **keys):
    from live_crew.crews.seams import Agent, Crew, Process, Task

    boss = Agent(role="boss", goal="lead", backstory="You lead.", llm=llm, allow_delegation=True)
    hand = Agent(role="hand", goal="help", backstory="You help.", llm=llm)
    # A manager has nobody but the agent of the task to ask.
    agent = boss if process == "sequential" else hand
    task = Task(name="job", description="Get it done.", expected_output="a word", agent=agent)
    return Crew(name="firm", agents=[boss, hand], tasks=[task], process=Process[process], **keys)


@pytest.mark.parametrize("process", ["sequential", "hierarchical"])
def test_agents_that_ask_each_other_are_served_each_on_its_own(process, model, events):
    ask = json.dumps({"coworker": "hand", "task": "help", "context": "now"})

    def make(say):
        llm = model(None)

        def answer(_):
            text = "\n".join(str(one["content"]) for one in llm._talks[-1])
            return say(text, sum(one["role"] == "assistant" for one in llm._talks[-1]))

        object.__setattr__(llm, "_say", answer)
        keys = {"manager_llm": llm} if process == "hierarchical" else {}
        return delegating(llm, process, **keys)

    def say(text, said):
        if "You help." in text:
            return "Thought: yes\nFinal Answer: helped"
        if said:
            return "Thought: good\nFinal Answer: done, " + (
                "helped" if "helped" in text else "alone"
            )
        return f"Thought: ask\nAction: delegate_work_to_coworker\nAction Input: {ask}"

    recorder = Recorder()
    _, first = run(make(say), events({}), recorder)
    assert texts(first) == ["done, helped"], first.errors
    leader = "boss" if process == "sequential" else "Crew Manager"
    assert [(call.agent, call.sort) for call in recorder.calls] == [
        (leader, "llm"),
        ("hand", "llm"),
        (leader, "llm"),
    ]
    with recorder.serving():
        _, second = run(make(lambda *_: "never"), events({}), recorder)
    assert second.digests == first.digests


def test_guardrails_and_converters_that_ask_are_served(crew, model, events):
    def make(say):
        llm = model(say)
        return crew(llm, guardrail="It must be polite.", output_pydantic=Report)

    def say(text):
        if "guardrail" in text.lower():
            return json.dumps({"valid": True, "feedback": None})
        return json.dumps({"title": "please", "key_points": []})

    recorder = Recorder()
    _, first = run(make(say), events({}), recorder)
    assert first.ok, first.errors
    with recorder.serving():
        _, second = run(make("never"), events({}), recorder)
    assert second.digests == first.digests


def test_tasks_side_by_side_are_served(model, events):
    from live_crew.crews.seams import Agent, Crew, Task

    def make(say):
        agents = [
            Agent(role=f"a{at}", goal="go", backstory="You go.", llm=model(say)) for at in range(3)
        ]
        tasks = [
            Task(
                name=f"t{at}",
                description=f"Part {at}.",
                expected_output="a word",
                agent=agent,
                async_execution=at < 2,
            )
            for at, agent in enumerate(agents)
        ]
        return Crew(name="parts", agents=agents, tasks=tasks)

    recorder = Recorder()
    _, first = run(
        make(lambda text: "part " + text.split("Part ")[1][:1]), events({}, {}), recorder
    )
    assert texts(first) == ["part 2", "part 2"], first.errors
    with recorder.serving():
        _, second = run(make("never"), events({}, {}), recorder)
    assert second.digests == first.digests
    assert second.usage == first.usage
