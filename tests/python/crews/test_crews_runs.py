"""Real crews in runs: isolation of copies, what they are given, what becomes of their answers."""

import asyncio
import json
import threading

import pytest

from live_crew import CrewOrchestrator, event_handler
from live_crew.errors import ConfigError


def run(crew, events, name="crew", **runtime):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew(name, crew, **{"triggers": ["ask"], **runtime})
    return orchestrator, orchestrator.run_sync(events)


def payloads(result):
    return [action.payload for action in result.actions]


def test_a_crew_answers_events_and_is_not_changed(model, crew, events):
    llm = model(lambda text: f"echo {text.count('Ada')}")
    mine = crew(llm, "Greet {name}.")
    _, result = run(mine, events({"name": "Ada"}, {"name": "Bob"}))
    assert result.ok
    assert [(a.kind, a.payload) for a in result.actions] == [
        ("crew_result", {"text": "echo 2"}),
        ("crew_result", {"text": "echo 0"}),
    ]
    assert mine.tasks[0].description == "Greet {name}."
    assert llm._token_usage["total_tokens"] == 0


def test_runs_side_by_side_keep_their_own_texts_and_tokens(model, crew, events):
    barrier = threading.Barrier(8, timeout=30)

    def say(text):
        barrier.wait()
        return text.split("<")[1].split(">")[0]

    orchestrator, result = run(
        crew(model(say), "Say <{word}>."),
        [
            {**one, "ts": "2026-01-01T00:00:00Z"}
            for one in events(*({"word": f"w{i}"} for i in range(8)))
        ],
        concurrency=8,
    )
    assert sorted(p["text"] for p in payloads(result)) == [f"w{i}" for i in range(8)]
    stories = orchestrator.journal.explain("s", "crew", 0)["runs"]
    used = [note for story in stories for _, notes in story["notes"] for note in notes]
    used = [note for note in used if note["what"] == "usage"]
    assert [note["total_tokens"] for note in used] == [15] * 8
    assert result.usage["crew"]["total_tokens"] == 120


@pytest.mark.parametrize("text", ["{word}", "{tool_names}", "{input}", "{{ event }}", "{missing}"])
def test_braces_in_data_are_never_templates(text, model, crew, events):
    llm = model("done")
    _, result = run(
        crew(llm, "Say <{word}> or <{other}>."), events({"word": text, "other": "{word}"})
    )
    assert result.ok, result.errors
    assert f"Say <{text}> or <{{word}}>." in llm._asked[0]


def test_a_crew_sees_event_context_slice_and_needs(model, crew, events):
    @event_handler("ask")
    def counter(event, ctx):
        ctx["count"] = ctx.get("count", 0) + 1
        return {"kind": "counted", "payload": ctx["count"]}

    llm = model("done")
    orchestrator = CrewOrchestrator()
    orchestrator.register_handler(counter)
    orchestrator.register_crew(
        "crew",
        crew(llm, "At {slice} in {stream_id}: {event} {deps} {missing}", "Then again: {word}"),
        triggers=["ask"],
        needs=[("counter", 0)],
        inputs={"word": "{{ event.payload.word }} of slice {{ slice }}, {{ ctx.count }}"},
    )
    result = orchestrator.run_sync(events({"word": "hi"}))
    assert result.ok, result.errors
    first, second = llm._asked
    assert 'At 0 in s: {"ts": "2026-01-01T00:00:00Z", "kind": "ask"' in first
    assert '{"counter": {"kind": "counted", "payload": 1}} []' in first
    assert 'Shared context (JSON): {"count": 1}' in first
    assert 'Trigger Payload: {"word": "hi"}' in first
    assert "Then again: hi of slice 0, 1" in second
    assert 'Shared context (JSON): {"count": 1}' in second


@pytest.mark.parametrize(
    ("said", "actions"),
    [
        ("plain words", [("crew_result", {"text": "plain words"})]),
        ('{"kind": "a", "payload": 1}', [("a", 1)]),
        (
            'Sure:\n```json\n[{"kind": "a", "payload": 1}, {"kind": "b", "payload": 2}]\n```',
            [("a", 1), ("b", 2)],
        ),
        ('{"actions": [{"kind": "a", "payload": 1}], "context": {"x": 5}}', [("a", 1)]),
        ('{"goals": 3}', [("crew_result", {"goals": 3})]),
    ],
)
def test_a2_answers_become_actions(said, actions, model, crew, events):
    _, result = run(crew(model(said)), events({}))
    assert [(a.kind, a.payload) for a in result.actions] == actions
    assert result.context["s"] == ({"x": 5} if "context" in said else {})


def test_a2_a_declared_model_is_the_answer(model, crew, events):
    from pydantic import BaseModel

    class Report(BaseModel):
        kind: str
        payload: dict[str, int]

    said = model('{"kind": "report", "payload": {"n": 1}}')
    for keys in ({"output_pydantic": Report}, {"output_json": Report}):
        _, result = run(crew(said, **keys), events({}))
        assert [(a.kind, a.payload) for a in result.actions] == [("report", {"n": 1})]


def test_a4_broken_json_fails_the_run_when_json_is_asked_for(model, crew, events):
    _, result = run(crew(model('{"kind": "a", "payload": [1')), events({}), emits={"parse": "json"})
    assert [error.reason for error in result.errors] == ["output"]


def test_tools_read_and_write_the_context(model, crew, events):
    from live_crew.tools import read_context, write_context

    steps = iter(
        [
            'Thought: look\nAction: read_context\nAction Input: {"path": "score"}',
            'Action: write_context\nAction Input: {"path": "score.home", "value": 2}',
            "Thought: done\nFinal Answer: ok",
        ]
    )
    llm = model(lambda _: next(steps))
    _, result = run(crew(llm, tools=[read_context, write_context]), events({}))
    assert result.ok, result.errors
    assert result.context["s"] == {"score": {"home": 2}}
    assert "null" in str(llm._talks[1])


@pytest.mark.parametrize(
    ("raises", "message"),
    [
        (ValueError("no luck"), "ValueError: no luck"),
        (SystemExit(3), "called sys.exit(3)"),
        ("", "None or empty"),
    ],
)
def test_what_a_crew_raises_ends_its_run_and_nothing_else(raises, message, model, crew, events):
    # CrewAI asks again after an error: it fails for as long as the first event is the last.
    seen = []

    def answer(_):
        if len(seen) > 1:
            return "fine"
        if isinstance(raises, BaseException):
            raise raises
        return raises

    llm = model(answer)
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", crew(llm), triggers=["ask"])

    @event_handler("ask")
    def before(event):
        seen.append(event)

    orchestrator.register_handler(before)
    result = orchestrator.run_sync(events({}, {}))
    assert len(result.errors) == 1, result.errors
    assert message in str(result.errors[0])
    assert payloads(result) == [{"text": "fine"}]


def test_c6_a_crew_that_hangs_is_given_up_at_its_deadline(model, crew, events, gate):
    hangs = [True]

    def say(_):
        if hangs:
            hangs.clear()
            gate.wait(60)
        return "fine"

    _, result = run(crew(model(say)), events({}, {}), timeout_ms=300)
    assert [error.reason for error in result.errors] == ["timeout"]
    assert payloads(result) == [{"text": "fine"}]


def test_a_run_that_was_given_up_begins_no_task_any_more(model, crew, events, gate):
    asked = []

    def say(_):
        asked.append(1)
        if len(asked) == 1:
            gate.wait(60)
        return "fine"

    result = run(crew(model(say), "One.", "Two."), events({}), timeout_ms=300)[1]
    assert [error.reason for error in result.errors] == ["timeout"]
    gate.set()
    # A second run on the same lane comes after whatever the first one still does.
    run(crew(model("done")), events({}))
    assert len(asked) == 1


def test_threads_of_a_run_that_was_given_up_call_no_model_any_more(model, crew, events, gate):
    """A tool runs a crew of two tasks: nothing but the question before a call can stop it."""
    from live_crew.crews.seams import BaseTool

    asked, over = [], threading.Event()

    def say(_):
        asked.append(1)
        if len(asked) == 1:
            return "Thought: ask\nAction: ask_others\nAction Input: {}"
        gate.wait(60)
        return "fine"

    class AskOthers(BaseTool):
        name: str = "ask_others"
        description: str = "asks a crew"

        def _run(self) -> str:
            try:
                return str(crew(llm, "One.", "Two.").kickoff())
            finally:
                over.set()

    llm = model(say)
    result = run(crew(llm, tools=[AskOthers()]), events({}), timeout_ms=1_500)[1]
    assert [error.reason for error in result.errors] == ["timeout"]
    assert len(asked) == 2, "the first task of the tool's crew was under way at the deadline"
    gate.set()
    assert over.wait(30)
    assert len(asked) == 2


def test_human_input_is_refused_not_waited_for(model, crew, events):
    _, result = run(crew(model("fine"), human_input=True), events({}))
    assert "asks a person" in str(result.errors[0])


def test_notes_tell_what_crew_tasks_and_tools_did(model, crew, events):
    orchestrator, _ = run(crew(model("done"), "One.", "Two."), events({}))
    ((attempt, notes),) = orchestrator.journal.explain("s", "crew", 0)["runs"][0]["notes"]
    assert attempt == 1
    told = [(note["what"], note.get("task")) for note in notes]
    assert told[0] == ("crew started", None)
    assert ("task started", "t0") in told
    assert ("task completed", "t1") in told
    assert told[-2:] == [("usage", None), ("took", None)]


def test_log_records_carry_stream_slice_crew_and_run(model, crew, events, caplog):
    with caplog.at_level("DEBUG", "live_crew.crews"):
        run(crew(model("done")), events({}))
    record = next(one for one in caplog.records if "task started" in one.message)
    assert (record.stream_id, record.slice, record.crew, record.run) == ("s", 0, "crew", "0.0")


def test_every_way_to_give_a_crew(model, crew, events):
    from crewai import Agent, Crew, Task
    from crewai.project import CrewBase, agent, task
    from crewai.project import crew as crew_of

    @CrewBase
    class Speakers:
        @agent
        def speaker(self) -> Agent:
            return Agent(role="speaker", goal="g", backstory="b", llm=model("based"))

        @task
        def speak(self) -> Task:
            return Task(description="Speak.", expected_output="words", agent=self.speaker())

        @crew_of
        def crew(self) -> Crew:
            return Crew(agents=self.agents, tasks=self.tasks)

    def factory():
        return crew(model("made"))

    orchestrator = CrewOrchestrator()
    given = {
        "object": crew(model("object")),
        "class": Speakers,
        "instance": Speakers(),
        "factory": factory,
    }
    for name, one in given.items():
        orchestrator.register_crew(name, one, triggers=["ask"])
    result = orchestrator.run_sync(events({}))
    assert result.ok, result.errors
    said = {a.kind: a.payload["text"] for a in result.actions}
    assert said == {
        "object_result": "object",
        "class_result": "based",
        "instance_result": "based",
        "factory_result": "made",
    }


def test_llm_stands_in_for_the_models_of_a_crew(model, crew, events):
    mine = crew(model("mine"))
    orchestrator = CrewOrchestrator(llm=model("for all"))
    orchestrator.register_crew("a", mine, triggers=["ask"])
    orchestrator.register_crew("b", mine, triggers=["ask"], llm=model("for b"))
    result = orchestrator.run_sync(events({}))
    assert [a.payload["text"] for a in result.actions] == ["for all", "for b"]
    assert run(mine, events({}))[1].actions[0].payload == {"text": "mine"}


def test_a_prompt_in_the_runtime_file_is_a_crew(model, events):
    llm = model('{"mood": "glad", "n": 2}')
    orchestrator = CrewOrchestrator(llm=llm)
    orchestrator.register_crew(
        "mood",
        None,
        triggers=["ask"],
        system_prompt="You judge moods in {{ stream_id }}.",
        user_template="How is {{ event.payload.who }}? So far {{ ctx.n | default(0) }}.",
        outputs=[{"kind": "mood", "payload": "{{ generated.mood }}"}],
        patch={"n": "{{ generated.n }}"},
    )
    result = orchestrator.run_sync(events({"who": "{{ ctx }}"}, {"who": "Bob"}))
    assert result.ok, result.errors
    assert [(a.kind, a.payload) for a in result.actions] == [("mood", "glad")] * 2
    assert llm._asked == ["How is {{ ctx }}? So far 0.", "How is Bob? So far 2."]
    assert result.context["s"] == {"n": 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 5, "gives int, not a `crewai.Crew`"),
        (lambda: 1 / 0, "division by zero"),
    ],
)
def test_a_crew_that_cannot_be_built_ends_the_run_with_the_reason(make, message, events):
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("bad", make, triggers=["ask"])
    with pytest.raises((ConfigError, ZeroDivisionError), match=message):
        orchestrator.run_sync(events({}))


def test_twice_the_same_role_is_refused(model, events):
    from live_crew.crews.seams import Agent, Crew, Task

    agents = [Agent(role="same", goal="g", backstory="b", llm=model("x")) for _ in range(2)]
    tasks = [Task(description=f"{i}", expected_output="e", agent=agents[i]) for i in range(2)]
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("twins", Crew(agents=agents, tasks=tasks), triggers=["ask"])
    with pytest.raises(ConfigError, match="two agents have the role `same`"):
        orchestrator.run_sync(events({}))


def test_a_crew_says_what_wakes_it(model, crew):
    with pytest.raises(ConfigError, match="never runs; say what wakes it"):
        CrewOrchestrator().register_crew("crew", crew(model("x")))


async def test_live_runs_of_crews_land_while_the_loop_stays_free(model, crew, gate):
    enough = asyncio.Event()

    async def tick():
        for _ in range(20):
            await asyncio.sleep(0.005)
        enough.set()

    orchestrator = CrewOrchestrator(slice_ms=20)
    orchestrator.register_crew(
        "crew", crew(model(lambda _: gate.wait(60) and "late")), triggers=["ask"]
    )
    async with orchestrator:
        ticking = asyncio.ensure_future(tick())
        await orchestrator.publish({"kind": "ask", "stream_id": "s", "payload": {}})
        await enough.wait()
        gate.set()
        async for action in orchestrator.actions():
            assert action.payload == {"text": "late"}
            break
        await ticking


def test_a_journal_of_crews_verifies_and_names_crewai(model, crew, events, tmp_path):
    path = tmp_path / "journal.db"
    orchestrator = CrewOrchestrator(journal=path)
    orchestrator.register_crew("crew", crew(model("done")), triggers=["ask"])
    orchestrator.run_sync(events({}, {}))
    assert orchestrator.journal.verify("s")["divergence"] is None
    attempts = orchestrator.journal.attempts(
        "s", orchestrator.plan(), orchestrator_members(orchestrator)
    )
    assert [(a.crew, a.slice, a.attempt) for a in attempts] == [("crew", 0, 1), ("crew", 2, 1)]
    from live_crew._core import Text

    assert attempts[0].compare(Text("done")) is None
    assert attempts[1].compare(Text("else"))["field"] == "actions"
    assert json.dumps(attempts[0].recorded["actions"][0]["payload"]) == '{"text": "done"}'


def orchestrator_members(orchestrator):
    from live_crew._workers import Workers

    return [p.member("virtual", Workers()) for p in orchestrator._participants.values()]
