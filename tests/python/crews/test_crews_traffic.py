"""What crews ask and are answered, recorded and served again: on real crews, through `Recorder`."""

import json
import sqlite3
import threading
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, Field

from live_crew import CrewOrchestrator, load_config
from live_crew.crews.packing import pack, pack_error, unpack, unpack_error
from live_crew.crews.redact import REDACTED, Redactor, is_secret
from live_crew.crews.tape import Call, Place, RunKey, Tape, piece_of, tape_beside
from live_crew.errors import ConfigError, JournalError, LiveCrewError
from live_crew.testing import Recorder

LOOK = 'Thought: look\nAction: look\nAction Input: {{"word": "{}"}}'
DONE = "Thought: I know\nFinal Answer: {}"


class Report(BaseModel):
    title: str
    key_points: list[str]


def run(crew, events, recorder, **settings):
    orchestrator = CrewOrchestrator(recorder=recorder, **settings)
    orchestrator.register_crew("crew", crew, triggers=["ask"], concurrency=8)
    return orchestrator, orchestrator.run_sync(events)


def texts(result):
    return [action.payload["text"] for action in result.actions]


@pytest.fixture
def look():
    """A tool that counts how often it is really called."""
    from live_crew.crews.seams import BaseTool

    class Look(BaseTool):
        name: str = "look"
        description: str = "Looks a word up."
        found: list = Field(default_factory=list)

        def _run(self, word: str) -> str:
            self.found.append(word)
            if word == "lost":
                raise KeyError(word)
            return f"<{word}> is number {len(self.found)}"

    return Look()


@pytest.fixture
def steps(model):
    """A model that answers with one text after the other in each run."""

    def make(*says):
        llm = model(None)

        def say(_):
            # What it has said already is how far the run is.
            said = sum(one["role"] == "assistant" for one in llm._talks[-1])
            return says[min(said, len(says) - 1)]

        object.__setattr__(llm, "_say", say)
        return llm

    return make


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


# -- the tape ------------------------------------------------------------------------------


def rows(path, query):
    with sqlite3.connect(path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def test_messages_that_requests_share_are_stored_once(crew, steps, look, events, tmp_path):
    path = tmp_path / "tape.db"
    says = [LOOK.format(word) for word in "abc"]
    mine = crew(steps(*says, DONE.format("found")), tools=[look])
    run(mine, events({}, {}, {}), Recorder(path))
    requests = rows(path, "SELECT request FROM call WHERE sort = 'llm'")
    asked = sum(len(request) // 16 for (request,) in requests)
    bodies = [body for (body,) in rows(path, "SELECT body FROM message")]
    system = [body for body in bodies if json.loads(body).get("role") == "system"]
    assert len(requests) == 12
    assert len(bodies) == len(set(bodies)) < asked
    assert len(system) == 1
    hashes = rows(path, "SELECT hash FROM message")
    assert {digest for (digest,) in hashes} == {piece_of(json.loads(body))[0] for body in bodies}


def test_keys_are_never_written(  # noqa: PLR0917
    crew, steps, look, events, tmp_path, monkeypatch
):
    monkeypatch.setenv("FANCY_API_KEY", "sk-from-the-environment")
    secrets = {"x-api-key": "sk-under-its-name", "nested": [{"password": "hunter2hunter2"}]}
    of_model = "sk-of-the-model-itself"
    says = [
        f"Thought: my key is {of_model}\n" + LOOK.format("sk-from-the-environment")[14:],
        DONE.format("the key is sk-from-the-environment"),
    ]
    llm = steps(*says)
    llm.api_key = of_model
    mine = crew(llm, "Use {secrets} and sk-from-the-environment.", tools=[look])
    journal = tmp_path / "journal.db"
    recorder = Recorder(tmp_path / "tape.db")
    _, result = run(mine, events({"secrets": "none"}), recorder, journal=str(journal))
    assert look.found == ["sk-from-the-environment"]
    assert texts(result) == ["the key is sk-from-the-environment"]
    # What is under the name of a secret is taken out wherever it is data.
    tape = Tape(tmp_path / "tape.db")
    digest, body = piece_of(Redactor().data({"headers": secrets}))
    key = RunKey("s", "crew", "9.0", 1)
    tape.write(
        key, 9, [Call(Place("a", 0, "tool", "t"), 1, None, 1, (digest,), "ok")], {digest: body}
    )
    tape.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("tape.db*"))
    for secret in ("sk-from-the-environment", of_model, "sk-under-its-name", "hunter2hunter2"):
        assert secret.encode() not in raw
    assert REDACTED.encode() in raw


def test_notes_of_a_run_are_without_keys(crew, model, events, monkeypatch):
    monkeypatch.setenv("OTHER_TOKEN", "tk-from-the-environment")
    llm = model(ValueError("wrong key sk-of-the-model, tk-from-the-environment"))
    llm.api_key = "sk-of-the-model"
    mine = crew(llm)
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", mine, triggers=["ask"])
    orchestrator.run_sync(events({}))
    notes = json.dumps(orchestrator.journal.explain("s", "crew", 0)["runs"][0]["notes"])
    assert "wrong key [redacted], [redacted]" in notes
    assert "tk-from" not in notes


def test_traffic_is_beside_a_journal_unless_it_is_not_wanted(crew, model, events, tmp_path):
    for name, section in {
        "kept": {},
        "also": {"traffic": True},
        "not": {"traffic": False},
    }.items():
        path = tmp_path / f"{name}.db"
        journal = {"path": str(path), **section}
        run(crew(model("done")), events({}), None, journal=journal)
        assert path.exists()
        assert tape_beside(path).exists() is (name != "not")
    # Nothing of SQLite stays open or lies about.
    assert not list(tmp_path.glob("*-wal"))


def test_traffic_goes_with_what_the_journal_forgets(crew, model, events, tmp_path):
    path = tmp_path / "journal.db"
    journal = {"path": str(path), "snapshot_every": 2, "retention": {"max_bytes": 20_000}}
    mine = crew(model("done"), "Say {word}.")
    words = [{"word": f"word {at}"} for at in range(20)]
    orchestrator, _ = run(mine, events(*words), None, journal=journal)
    kept = [at for at, _ in orchestrator.journal.digests("s")]
    found = rows(tape_beside(path), "SELECT slice FROM run ORDER BY slice")
    assert 0 < len(kept) < 20
    assert [at for (at,) in found] == kept
    told = " ".join(body for (body,) in rows(tape_beside(path), "SELECT body FROM message"))
    said = [at for at in range(20) if f"Say word {at}." in told]
    assert said == [at // 2 for at in kept]


def test_a_new_journal_does_not_inherit_the_traffic_of_an_old_one(crew, model, events, tmp_path):
    path = tmp_path / "journal.db"
    run(crew(model("done")), events({}, {}), None, journal=str(path))
    path.unlink()
    run(crew(model("done")), events({}), None, journal=str(path))
    assert len(Tape(tape_beside(path)).runs()) == 1


def test_a_run_that_runs_again_replaces_what_it_asked():
    tape = Tape()
    key = RunKey("s", "crew", "0.0", 1)
    for word in ("old", "new"):
        digest, body = piece_of({"role": "user", "content": word})
        call = Call(Place("a", 0, "llm"), 1, "t", 1, (digest,), word)
        tape.write(key, 0, [call], {digest: body})
    assert [call.answer for call in tape.calls(key)] == ["new"]
    tape.forget_before({"s": 1, "other": 5})
    assert tape.all() == []
    assert tape.message(piece_of({"role": "user", "content": "new"})[0]) is None


def test_a_tape_of_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "tape.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="newer live-crew"):
        Tape(path).runs()
    (tmp_path / "no.db").write_text("this is no database, by far" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Tape(tmp_path / "no.db").runs()


def test_a_disk_that_is_full_does_not_fail_the_run(crew, model, events, tmp_path, caplog):
    recorder = Recorder(tmp_path / "tape.db")
    (tmp_path / "tape.db").write_text("this is no database, by far" * 100)
    _, result = run(crew(model("done")), events({}), recorder)
    assert texts(result) == ["done"]
    assert "its traffic could not be recorded" in caplog.text


def test_settings_that_are_none_are_told(monkeypatch):
    with pytest.raises(ConfigError, match="is neither; use `true` or `false`"):
        CrewOrchestrator(journal={"traffic": "often"})
    with pytest.raises(ConfigError, match=r"give a `live_crew\.testing\.Recorder`"):
        CrewOrchestrator(recorder="tape.db")
    monkeypatch.setenv("LIVE_CREW_JOURNAL__TRAFFIC", "true")
    assert load_config().journal.traffic is True


# -- parts ---------------------------------------------------------------------------------


class OddError(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b


@pytest.mark.parametrize(
    "value",
    [
        "text",
        None,
        {"a": [1, 2.5, True, None]},
        {"$type": "mine", 3: "x"},
        ("a", {"b"}, b"\0\xff"),
        Report(title="x", key_points=[]),
        SimpleNamespace(id="1", function=SimpleNamespace(name="f")),
        [Report(title="x", key_points=["y"])],
    ],
)
def test_answers_come_back_as_they_were(value):
    assert unpack(json.loads(json.dumps(pack(value)))) == value


def test_answers_that_are_no_data_come_back_as_text():
    local = type("Local", (BaseModel,), {"__annotations__": {"x": int}})
    assert unpack(pack(threading)) == str(threading)
    assert unpack(pack(local(x=1))).x == 1
    assert unpack(pack(local(x=1), local), local) == local(x=1)


def test_exceptions_come_back_as_they_were():
    same = unpack_error(pack_error(OddError("what", 5)))
    assert (type(same), str(same), same.b) == (OddError, "what", 5)
    gone = pack_error(KeyError("k")) | {"class": "nowhere:Outer.GoneError"}
    other = unpack_error(gone)
    assert isinstance(other, RuntimeError)
    assert (type(other).__qualname__, str(other)) == ("Outer.GoneError", "'k'")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("api_key", "apiKey", "X-Api-Key", "KEY", "key", "secret")),
        *((name, True) for name in ("Authorization", "dbPassword", "auth_token", "client_secret")),
        *((name, False) for name in ("key_points", "keywords", "monkey", "keyboard", "author")),
    ],
)
def test_names_of_secrets_are_words(name, is_one):
    assert is_secret(name) is is_one


def test_counts_of_tokens_are_no_secrets():
    counts = {"total_tokens": 5, "max_tokens": 7, "tokens": 3, "details": {"cached_tokens": 2}}
    assert Redactor().data(counts) == counts
    told = {"tokens": ["abc"], "token": 12345, "keys": {"one": "x", "many_tokens": 2}}
    assert Redactor().data(told) == {
        "tokens": [REDACTED],
        "token": REDACTED,
        "keys": {"one": REDACTED, "many_tokens": 2},
    }


def test_arguments_of_tool_calls_are_data_too():
    call = {"function": {"name": "f", "arguments": '{"api_key": "abc", "word": "ö"}'}}
    told = Redactor().data(call)["function"]["arguments"]
    assert json.loads(told) == {"api_key": REDACTED, "word": "ö"}
    plain = {"arguments": '{"word":   "x"}'}
    assert Redactor().data(plain) == plain
    assert Redactor("longsecret").data({"arguments": "no json longsecret"}) == {
        "arguments": f"no json {REDACTED}"
    }


# -- crews that do more --------------------------------------------------------------------


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
