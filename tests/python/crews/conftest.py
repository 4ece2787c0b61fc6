"""Crews for the tests: real ones, on models that are functions."""

import contextlib
import threading
import warnings

import pytest


@pytest.fixture(autouse=True)
def _what_crewai_says_of_itself():
    """It builds its agents out of fields that it calls deprecated."""
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"crewai\b|pydantic\b")
    warnings.filterwarnings("ignore", message="function callbacks cannot be serialized")


@pytest.fixture(scope="session")
def model():
    """Makes a model out of a function of the conversation's text, or out of an answer."""
    from live_crew.crews.seams import BaseLLM

    class FunctionLLM(BaseLLM):
        def call(self, messages, *_, **about):
            # Counted by a lock-free dict per copy: exactly what CrewAI's own models do.
            self._track_token_usage_internal(
                {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            )
            text = messages if isinstance(messages, str) else messages[-1]["content"]
            with self._held:
                self._asked.append(text)
                self._talks.append(messages)
            answer = self._say(text) if callable(self._say) else self._say
            if isinstance(answer, BaseException):
                raise answer
            return answer

        def get_context_window_size(self):
            return 100_000

    def make(say):
        made = FunctionLLM(model="function")
        object.__setattr__(made, "_say", say)
        object.__setattr__(made, "_asked", [])
        object.__setattr__(made, "_talks", [])
        object.__setattr__(made, "_held", threading.Lock())
        return made

    return make


@pytest.fixture(scope="session")
def crew():
    """Makes a crew of one agent with a task for each text."""
    from live_crew.crews.seams import Agent, Crew, Task

    def make(llm, *tasks, tools=(), expects="an answer", **keys):
        agent = Agent(
            role="speaker", goal="speak", backstory="You speak.", llm=llm, tools=list(tools)
        )
        texts = tasks or ("Answer.",)
        made = [
            Task(name=f"t{at}", description=text, expected_output=expects, agent=agent, **keys)
            for at, text in enumerate(texts)
        ]
        return Crew(name="crew", agents=[agent], tasks=made)

    return make


@pytest.fixture
def events():
    """Events a second apart, each in a slice of its own."""

    def make(*payloads, kind="ask", stream="s"):
        return [
            {
                "ts": f"2026-01-01T00:{at // 60:02}:{at % 60:02}Z",
                "kind": kind,
                "stream_id": stream,
                "payload": payload,
            }
            for at, payload in enumerate(payloads)
        ]

    return make


@pytest.fixture
def gate():
    """Something that holds a model until it is opened; opened at the end in any case."""
    opened = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(opened.set)
        yield opened
