"""CrewAI's client of OpenAI, recorded and then served with the server gone."""

import pytest
from crew_parts import Add, Title, crew_of, storage
from openai_server import Answer, OpenAIServer

from live_crew import CrewOrchestrator
from live_crew.crews.seams import LLM
from live_crew.errors import ConfigError
from live_crew.testing import Recorder

__all__ = ["storage"]  # a fixture

SUM = Answer(tools=(("add_numbers", {"a": 1, "b": 2}), ("add_numbers", {"a": 3, "b": 4})))
KEY = "test-key-that-is-secret"


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("answers", "settings", "task"),
    [
        ([SUM, Answer("seven and three")], {}, {}),
        ([SUM, Answer("seven and three")], {"stream": True}, {}),
        ([SUM, Answer("seven and three")], {"api": "responses"}, {}),
        ([Answer('{"title": "Seas", "pages": 3}')], {}, {"output_pydantic": Title}),
        ([Answer(status=400)], {}, {}),
    ],
    ids=["tools", "stream", "responses", "model", "failure"],
)
def test_a_provider_is_recorded_once_and_served_for_ever(answers, settings, task, events, tmp_path):
    def run(server_url, recorder):
        llm = LLM(model="openai/gpt-4o-mini", base_url=server_url, api_key=KEY, **settings)
        orchestrator = CrewOrchestrator(recorder=recorder)
        crew = crew_of(llm, tools=[] if task else [Add()], tries=1, **task)
        orchestrator.register_crew("crew", crew, triggers=["ask"])
        return orchestrator.run_sync(events({}))

    path = tmp_path / "tape.db"
    with OpenAIServer() as server:
        server.will(*answers)
        first = run(server.url, Recorder(path))
        asked = len(server.requests)
        with Recorder(path).serving() as recorder:
            second = run(server.url, recorder)
        assert len(server.requests) == asked
        url = server.url
    assert asked == len(recorder.calls) - sum(call.sort == "tool" for call in recorder.calls)
    # Nobody is there any more.
    with Recorder(path).serving() as recorder:
        third = run(url, recorder)
    assert first.digests == second.digests == third.digests
    assert first.usage == second.usage == third.usage
    assert [str(one) for one in third.errors] == [str(one) for one in first.errors]
    assert first.ok is (answers[0].status == 200)
    assert KEY.encode() not in path.read_bytes()


FILES = {
    "desk/agents.yaml": "a: {role: Clerk, goal: g, backstory: b, llm: openai/gpt-4o-mini}\n",
    "desk/tasks.yaml": "t: {description: d, expected_output: e, agent: a}\n",
}


@pytest.mark.parametrize("isolation", ["none", "process"])
async def test_what_was_recorded_needs_no_key(isolation, events, write, tmp_path, monkeypatch):
    """A folder names its provider, whose key is asked for before a run, but not to serve one."""

    def desk(**settings):
        orchestrator = CrewOrchestrator(**settings)
        orchestrator.register_crew("desk", "desk", triggers=["ask"], isolation=isolation)
        return orchestrator

    write(FILES)
    journal, tape = tmp_path / "journal.db", tmp_path / "tape.db"
    with OpenAIServer() as server:
        server.will(*[Answer("fine")] * 2)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        first = await desk(journal=journal).run(events({}))
        await desk(recorder=Recorder(tape)).run(events({}))
        assert (first.ok, len(server.requests)) == (True, 2)
    monkeypatch.delenv("OPENAI_API_KEY")
    with Recorder(tape).serving() as recorder:
        assert (await desk(recorder=recorder).run(events({}))).digests == first.digests
    assert (await desk().replay(journal, mode="reexecute")).ok
    with pytest.raises(ConfigError, match="needs `OPENAI_API_KEY`, which is not set"):
        await desk().run(events({}))
