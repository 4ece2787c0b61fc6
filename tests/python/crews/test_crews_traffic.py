"""What crews ask and are answered, recorded and served again: on real crews, through `Recorder`."""

import threading

import pytest
from traffic_parts import DONE, LOOK, run, texts

from live_crew import CrewOrchestrator
from live_crew.errors import LiveCrewError
from live_crew.testing import Recorder


def test_a_recorded_run_is_served_without_model_or_tool(crew, steps, look, events):
    llm = steps(LOOK.format("Ada"), DONE.format("found"))
    mine = crew(llm, "Look up {word}.", tools=[look])
    recorder = Recorder()
    _, first = run(mine, events({"word": "Ada"}), recorder)
    assert texts(first) == ["found"], first.errors
    asked, looked = len(llm._asked), list(look.found)
    assert looked == ["Ada"]
    with recorder.serving():
        _, second = run(mine, events({"word": "Ada"}), recorder)
    assert second.digests == first.digests
    assert second.usage == first.usage == {"crew": second.usage["crew"]}
    assert second.usage["crew"]["total_tokens"] == 15 * asked
    assert (len(llm._asked), look.found) == (asked, looked)


def test_calls_say_who_asked_and_what_was_answered(crew, steps, look, events):
    recorder = Recorder()
    mine = crew(steps(LOOK.format("Ada"), DONE.format("found")), tools=[look])
    run(mine, events({}), recorder)
    told = [(c.run, c.agent, c.task, c.sort, c.name, c.is_error) for c in recorder.calls]
    assert told == [
        ("s/crew/0.0", "speaker", "t0", "llm", "function", False),
        ("s/crew/0.0", "speaker", "t0", "tool", "look", False),
        ("s/crew/0.0", "speaker", "t0", "llm", "function", False),
    ]
    assert recorder.calls[0].answer == LOOK.format("Ada")
    assert recorder.calls[0].tokens["total_tokens"] == 15
    assert recorder.calls[1].answer == "<Ada> is number 1"
    assert recorder.calls[2].answer == DONE.format("found")


def test_a_changed_prompt_is_told_by_its_message(crew, model, events):
    recorder = Recorder()
    run(crew(model("done"), "Say {word}."), events({"word": "a"}), recorder)
    changed = crew(model("done"), "Shout {word}.")
    told = r"s/crew/0.0: request 1 of agent `speaker`, task 1: message \d \(user\) differs"
    with pytest.raises(AssertionError, match=told), recorder.serving():
        run(changed, events({"word": "a"}), recorder)


def test_a_question_without_an_answer_ends_its_run(crew, model, events):
    recorder = Recorder()
    run(crew(model("done"), "One."), events({}), recorder)
    never = model(AssertionError("nobody is to be asked"))
    results = []
    with pytest.raises(AssertionError, match="task 2 has no recorded answer"), recorder.serving():
        results.append(run(crew(never, "One.", "Two."), events({}), recorder)[1])
    assert "has no recorded answer" in str(results[0].errors[0])
    assert never._asked == []


def test_answers_and_runs_that_nobody_wants_are_told(crew, model, events):
    recorder = Recorder()
    run(crew(model("done"), "One.", "Two."), events({}, {}), recorder)
    with pytest.raises(AssertionError) as told, recorder.serving():
        run(crew(model("done"), "One."), events({}), recorder)
    assert "agent `speaker`, task 2: 1 recorded answer was not asked for" in str(told.value)
    assert "s/crew/2.0: was recorded and did not run" in str(told.value)


def test_a_failed_block_tells_of_its_own_failure(crew, model, events):
    recorder = Recorder()
    run(crew(model("done")), events({}), recorder)
    with pytest.raises(ZeroDivisionError), recorder.serving():
        raise ZeroDivisionError
    with pytest.raises(LiveCrewError, match="nothing is recorded"), Recorder().serving():
        pass


def test_a_tape_in_a_file_outlives_its_recorder(crew, model, events, tmp_path):
    path = tmp_path / "tape.db"
    with pytest.raises(LiveCrewError, match=r"nothing is recorded in .*tape\.db"):
        Recorder(path).serving().__enter__()
    _, first = run(crew(model("done")), events({}), Recorder(path))
    with Recorder(path).serving() as recorder:
        _, second = run(crew(model(ValueError("called"))), events({}), recorder)
    assert second.digests == first.digests


def test_runs_side_by_side_get_their_own_answers(crew, model, events):
    barrier = threading.Barrier(4, timeout=30)

    def say(text):
        barrier.wait()
        return text.split("<")[1].split(">")[0]

    at_once = [
        {**one, "ts": "2026-01-01T00:00:00Z"}
        for one in events(*({"word": f"w{i}"} for i in range(4)))
    ]
    recorder = Recorder()
    mine = crew(model(say), "Say <{word}>.")
    _, first = run(mine, at_once, recorder)
    assert sorted(texts(first)) == ["w0", "w1", "w2", "w3"]
    with recorder.serving():
        _, second = run(mine, at_once, recorder)
    assert second.digests == first.digests
    assert len(recorder.calls) == 4


def test_two_agents_and_their_tasks_keep_apart(model, events):
    from live_crew.crews.seams import Agent, Crew, Task

    def make(llm):
        writer = Agent(role="writer of {topic}", goal="write", backstory="You write.", llm=llm)
        critic = Agent(role="critic", goal="judge", backstory="You judge.", llm=llm)
        text = Task(name="text", description="Write.", expected_output="a text", agent=writer)
        verdict = Task(
            name="verdict",
            description="Judge.",
            expected_output="a word",
            agent=critic,
            context=[text],
        )
        return Crew(name="desk", agents=[writer, critic], tasks=[text, verdict])

    llm = model(lambda text: "good" if "Judge." in text else "once upon")
    recorder = Recorder()
    _, first = run(make(llm), events({"topic": "seas"}), recorder)
    assert texts(first) == ["good"]
    told = [(call.agent, call.task, call.answer) for call in recorder.calls]
    assert told == [("writer of seas", "text", "once upon"), ("critic", "verdict", "good")]
    with recorder.serving():
        _, second = run(make(model("never")), events({"topic": "seas"}), recorder)
    assert second.digests == first.digests
    assert second.usage["crew"]["total_tokens"] == 30


def test_models_that_fail_fail_again(crew, model, events):
    recorder = Recorder()
    mine = crew(model(ConnectionError("no route")))
    _, first = run(mine, events({}), recorder)
    assert "no route" in str(first.errors[0])
    with recorder.serving():
        _, second = run(crew(model("fine")), events({}), recorder)
    assert [str(error) for error in second.errors] == [str(error) for error in first.errors]
    assert type(second.errors[0].__cause__) is type(first.errors[0].__cause__)
    call = recorder.calls[0]
    assert (call.is_error, call.answer) == (
        True,
        {"class": "ConnectionError", "text": "no route"},
    )


def test_tools_that_fail_fail_again(crew, steps, look, events):
    recorder = Recorder()
    mine = crew(steps(LOOK.format("lost"), DONE.format("gone")), tools=[look])
    _, first = run(mine, events({}), recorder)
    assert texts(first) == ["gone"], first.errors
    tried = len(look.found)
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert second.digests == first.digests
    assert len(look.found) == tried


def test_what_a_run_writes_to_the_context_it_writes_again(crew, steps, events):
    from live_crew.tools import write_context

    write = 'Thought: w\nAction: write_context\nAction Input: {"path": "score", "value": 3}'
    recorder = Recorder()
    mine = crew(steps(write, DONE.format("ok")), tools=[write_context])
    _, first = run(mine, events({}), recorder)
    with recorder.serving():
        _, second = run(mine, events({}), recorder)
    assert second.context == first.context == {"s": {"score": 3}}


def test_a_prompt_in_a_runtime_file_is_recorded_and_served(model, events):
    def serve(llm, recorder):
        orchestrator = CrewOrchestrator(recorder=recorder)
        orchestrator.register_crew(
            "crew", None, triggers=["ask"], user_template="Say {{ event.payload.word }}", llm=llm
        )
        return orchestrator.run_sync(events({"word": "hi"}))

    recorder = Recorder()
    first = serve(model("hi yourself"), recorder)
    assert texts(first) == ["hi yourself"]
    assert [(c.agent, c.task, c.answer) for c in recorder.calls] == [
        ("prompt", None, "hi yourself")
    ]
    with recorder.serving():
        assert serve(model("never"), recorder).digests == first.digests
