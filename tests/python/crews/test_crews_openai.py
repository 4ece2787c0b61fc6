"""CrewAI's client of OpenAI against a server that answers, waits and fails: what a crew sees."""

import json
import time

import httpx
import openai
import pytest
from crew_parts import Add, Title, crew_of, storage
from openai_server import Answer, OpenAIServer, openai_server
from pydantic import ValidationError

from live_crew.crews.seams import LLM
from live_crew.testing import ScriptedLLM

__all__ = ["openai_server", "storage"]  # fixtures

SUM = Answer(tools=(("add_numbers", {"a": 1, "b": 2}),))
AT_ONCE = {"retry-after-ms": "1"}  # what the client of OpenAI takes; `retry-after: 0` it does not


@pytest.fixture(autouse=True)
def _alone(newer, tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    # No certificates are needed here, and reading those there are takes longer than a test.
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    # CrewAI waits a second and two before it tries again, whatever the answer said.
    monkeypatch.setattr("crewai.llms.retry._LLM_RATE_LIMIT_INITIAL_DELAY_SECONDS", 0.001)


def crew_on(server, *, tools=(), tries=1, task=None, key="test-key", **settings):
    llm = LLM(model="openai/gpt-4o-mini", base_url=server.url, api_key=key, **settings)
    return crew_of(llm, tools=tools, tries=tries, **(task or {}))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_crew_asks_and_is_answered(openai_server, stream):
    openai_server.will(Answer("hello dear world", usage=(100, 20)))
    result = crew_on(openai_server, stream=stream).kickoff()
    assert result.raw == "hello dear world"
    usage = result.token_usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 20, 120)
    (asked,) = openai_server.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.body["model"] == "gpt-4o-mini"
    assert asked.body.get("stream", False) is stream
    assert asked.roles == ["system", "user"]
    assert "say something" in asked.body["messages"][1]["content"]


async def test_a_crew_asks_from_an_event_loop(openai_server):
    assert (await crew_on(openai_server).akickoff()).raw == "hello"
    assert len(openai_server.requests) == 1


def test_a_stream_is_told_piece_by_piece(openai_server):
    openai_server.will(Answer("hello dear world"))
    crew = crew_on(openai_server)
    crew.stream = True
    streaming = crew.kickoff()
    assert [chunk.content for chunk in streaming] == ["hello ", "dear ", "world"]
    assert streaming.result.raw == "hello dear world"


def test_a_key_goes_to_its_server_and_nowhere_else(openai_server):
    with OpenAIServer() as other:
        crew_on(openai_server, key="key-one").kickoff()
        crew_on(other, key="key-two").kickoff()
    assert [one.key for one in openai_server.requests] == ["Bearer key-one"]
    assert [one.key for one in other.requests] == ["Bearer key-two"]
    for one in (*openai_server.requests, *other.requests):
        assert "key-" not in json.dumps(one.body)


@pytest.mark.parametrize(
    "how", [{}, {"stream": True}, {"api": "responses"}], ids=["whole", "stream", "responses"]
)
def test_tools_run_for_real(openai_server, how):
    openai_server.will(SUM, Answer("three"))
    add = Add()
    result = crew_on(openai_server, tools=[add], **how).kickoff()
    assert (result.raw, add.ran) == ("three", [(1, 2)])
    assert result.token_usage.successful_requests == 2
    first, second = openai_server.requests
    assert "add_numbers" in json.dumps(first.body["tools"])
    assert "the sum is 3" not in json.dumps(first.body)
    assert "the sum is 3" in json.dumps(second.body)
    assert first.path == ("/v1/responses" if "api" in how else "/v1/chat/completions")


def test_several_tools_at_once(openai_server):
    both = Answer(tools=(*SUM.tools, ("add_numbers", {"a": 3, "b": 4})))
    openai_server.will(both, Answer("done"))
    add = Add()
    assert crew_on(openai_server, tools=[add]).kickoff().raw == "done"
    assert sorted(add.ran) == [(1, 2), (3, 4)]
    assert openai_server.requests[1].roles == ["system", "user", "assistant", "tool", "tool"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_structure_is_asked_for_by_its_schema(openai_server, stream):
    openai_server.will(Answer('{"title": "Up"}'))
    crew = crew_on(openai_server, task={"output_pydantic": Title}, stream=stream)
    assert crew.kickoff().pydantic == Title(title="Up")
    (asked,) = openai_server.requests
    assert asked.body["response_format"]["json_schema"]["name"] == "Title"


def test_no_structure_is_an_error(openai_server):
    openai_server.will(Answer("no structure"), Answer('{"title": "Up"}'))
    crew = crew_on(openai_server, task={"output_pydantic": Title}, tries=2)
    assert crew.kickoff().pydantic == Title(title="Up")
    openai_server.will(Answer("no structure"))
    with pytest.raises(ValidationError):
        crew_on(openai_server, task={"output_pydantic": Title}).kickoff()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_client_tries_again(openai_server, status):
    openai_server.will(Answer(status=status, headers=AT_ONCE), Answer("hello"))
    assert crew_on(openai_server).kickoff().raw == "hello"
    assert len(openai_server.requests) == 2


def test_a_rate_limit_is_tried_again_by_crewai_too(openai_server):
    openai_server.will(Answer(status=429), Answer(status=429), Answer("hello"))
    assert crew_on(openai_server, max_retries=0).kickoff().raw == "hello"
    assert len(openai_server.requests) == 3


def test_tries_of_agent_model_and_client_multiply(openai_server):
    openai_server.will(Answer(status=429, headers=AT_ONCE))
    with pytest.raises(openai.RateLimitError, match="429"):
        crew_on(openai_server, tries=3).kickoff()
    assert len(openai_server.requests) == 3 * 3 * 3


@pytest.mark.parametrize(
    ("status", "error", "asked"),
    [
        (400, openai.BadRequestError, 2),
        (401, openai.AuthenticationError, 2),
        (404, ValueError, 2),  # `Model … not found`
        (500, openai.InternalServerError, 2 * 3),
    ],
)
def test_a_failure_that_stays(openai_server, status, error, asked):
    openai_server.will(Answer(status=status, headers=AT_ONCE))
    with pytest.raises(error) as failed:
        crew_on(openai_server, tries=2).kickoff()
    assert len(openai_server.requests) == asked, "the agent tries again whatever it was"
    assert "test-key" not in str(failed.value)


def test_no_answer_at_all(openai_server):
    openai_server.will(Answer(hang=True))
    started = time.monotonic()
    with pytest.raises(ConnectionError, match="Request timed out"):
        crew_on(openai_server, timeout=0.3, max_retries=0).kickoff()
    assert time.monotonic() - started < 10
    assert len(openai_server.requests) == 1


def test_a_timeout_is_tried_again(openai_server):
    openai_server.will(Answer(hang=True), Answer("hello"))
    assert crew_on(openai_server, timeout=0.8, max_retries=1).kickoff().raw == "hello"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_timeout_is_about_each_piece_and_not_about_the_whole(openai_server, stream):
    openai_server.will(Answer("hello dear world", pause=0.2))
    started = time.monotonic()
    crew = crew_on(openai_server, timeout=0.6, max_retries=0, stream=stream)
    assert crew.kickoff().raw == "hello dear world"
    assert time.monotonic() - started > 0.6, "a deadline needs more than `timeout`"


@pytest.mark.parametrize(
    ("stream", "error"),
    [(False, ConnectionError), (True, httpx.ReadTimeout)],
    ids=["whole", "stream"],
)
def test_a_body_that_stops_coming(openai_server, stream, error):
    openai_server.will(Answer("hello dear world", pause=2))
    with pytest.raises(error, match="timed out"):
        crew_on(openai_server, timeout=0.3, max_retries=0, stream=stream).kickoff()


@pytest.mark.parametrize(
    ("stream", "error"),
    [(False, ConnectionError), (True, httpx.TransportError)],
    ids=["whole", "stream"],
)
def test_a_connection_that_breaks_in_the_middle(openai_server, stream, error):
    openai_server.will(Answer("hello dear world", drop=True))
    with pytest.raises(error):
        crew_on(openai_server, max_retries=0, stream=stream).kickoff()


def test_a_broken_connection_is_tried_again(openai_server):
    openai_server.will(Answer("hello", drop=True), Answer("hello"))
    assert crew_on(openai_server, max_retries=1).kickoff().raw == "hello"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_no_json(openai_server, stream):
    openai_server.will(Answer(raw="data: {nope\n\n" if stream else "{nope"))
    with pytest.raises(json.JSONDecodeError):
        crew_on(openai_server, stream=stream).kickoff()


def test_what_is_no_completion(openai_server):
    openai_server.will(Answer(raw="{}"))
    with pytest.raises(openai.APIResponseValidationError, match="no choices"):
        crew_on(openai_server).kickoff()


def test_an_empty_answer(openai_server):
    openai_server.will(Answer(""), Answer("hello"))
    assert crew_on(openai_server, tries=2).kickoff().raw == "hello"
    openai_server.will(Answer(""))
    with pytest.raises(ValueError, match="None or empty"):
        crew_on(openai_server).kickoff()


def test_a_server_that_is_not_there(openai_server):
    with OpenAIServer() as gone:
        pass
    with pytest.raises(ConnectionError, match="Failed to connect"):
        crew_on(gone, max_retries=0).kickoff()


def test_a_scripted_model_asks_no_server(openai_server, monkeypatch):
    """What is no JSON CrewAI lets the provider convert, over a client of its own."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    llm = ScriptedLLM("no structure")
    result = crew_of(llm, tools=[Add()], output_json=Title).kickoff()
    assert (result.raw, result.json_dict) == ("no structure", None)
    assert openai_server.requests == []
    assert len(llm.calls) == 1
