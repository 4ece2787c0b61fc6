"""What recording and serving answers takes for granted of CrewAI."""

import re

import pytest


@pytest.fixture
def look():
    from live_crew.crews.seams import BaseTool

    class Look(BaseTool):
        name: str = "look"
        description: str = "Looks a word up."

        def _run(self, word: str) -> str:
            return word

    return Look()


def test_executors_call_what_is_tapped(look):
    from crewai.tools import tool
    from crewai.utilities.agent_utils import convert_tools_to_openai_schema, parse_tools

    @tool("twice")
    def twice(word: str) -> str:
        """Says a word twice."""
        return word * 2

    for one, name in ((look, "_run"), (twice, "func")):
        tapped = one.model_copy()
        object.__setattr__(tapped, name, lambda word: f"tapped {word}")
        assert parse_tools([tapped])[0].invoke({"word": "a"}) == "tapped a"
        _, functions, _ = convert_tools_to_openai_schema([tapped])
        assert functions[tapped.name](word="a") == "tapped a"


def test_agents_get_their_tools_where_they_are_tapped():
    import inspect

    from crewai.utilities.agent_utils import get_llm_response

    from live_crew.crews.seams import Agent

    assert list(inspect.signature(Agent.create_agent_executor).parameters) == [
        "self",
        "tools",
        "task",
    ]
    told = inspect.getsource(get_llm_response)
    assert all(f"{name}={name}" in told for name in ("from_task", "from_agent", "response_model"))


@pytest.mark.usefixtures("newer")
def test_models_are_called_through_what_is_set_on_them(model):
    llm = model("done")
    assert set(llm._token_usage) >= {"total_tokens", "prompt_tokens", "completion_tokens"}
    object.__setattr__(llm, "call", lambda *_, **__: "tapped")
    object.__setattr__(llm, "get_input_tokens_count", lambda *_, **__: 10**9)
    assert llm.call([]) == "tapped"
    assert llm.is_context_window_overflowing_threshold([])


def test_tool_calls_without_a_name_are_called_after_their_address():
    from crewai.utilities.agent_utils import extract_tool_call_info

    from live_crew.crews.tap import _ADDRESS

    name, *_ = extract_tool_call_info({"function": {"name": "f", "arguments": "{}"}})
    assert re.fullmatch(_ADDRESS, name)


def test_tools_that_run_agents_are_known_by_their_module():
    from crewai.tools.agent_tools.agent_tools import AgentTools

    from live_crew.crews.tapped import _RUN_AGAIN

    assert all(type(one).__module__.startswith(_RUN_AGAIN) for one in AgentTools(agents=[]).tools())
