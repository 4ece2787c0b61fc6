"""Crews for the tests: real ones, on models that are functions."""

import contextlib
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live_crew.crews.folder import read_folder
from live_crew.errors import ConfigError

if TYPE_CHECKING:
    from live_crew.crews.seams import BaseLLM

ONE_AGENT = "a: {role: Scout, goal: g, backstory: b}\n"
ONE_TASK = "t: {description: d, expected_output: e, agent: a}\n"


@pytest.fixture(autouse=True)
def _what_crewai_says_of_itself():
    """It builds its agents out of fields that it calls deprecated."""
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"crewai\b|pydantic\b")
    warnings.filterwarnings("ignore", message="function callbacks cannot be serialized")


@pytest.fixture
def newer():
    """For what older releases lack: models that ask again after a 429, stops that stop at once."""
    pytest.importorskip("crewai.llms.retry", reason="this CrewAI is too old for it")


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
def look():
    """A tool that counts how often it is really called."""
    from pydantic import Field

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


@pytest.fixture
def gate():
    """Something that holds a model until it is opened; opened at the end in any case."""
    opened = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(opened.set)
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; no key of a provider is set."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Writes files below the working directory: texts under their paths."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            path.chmod(0o644)
        return folder

    return write


@pytest.fixture
def mistakes(write: Callable[..., Path]) -> Callable[..., str]:
    """What is told of a crew that some files were changed of, places without the folder."""

    def mistakes(files: dict[str, str | None]) -> str:
        there = {"notes.md": "", "agents.yaml": ONE_AGENT, "tasks.yaml": ONE_TASK, **files}
        write({f"desk/{name}": text for name, text in there.items() if text is not None})
        with pytest.raises(ConfigError) as caught:
            read_folder("desk")
        assert str(caught.value) == "\n".join(map(str, caught.value.problems))
        assert all(problem.crew in ("desk", None) for problem in caught.value.problems)
        return str(caught.value).removeprefix("desk/").replace("\ndesk/", "\n")

    return mistakes


@pytest.fixture(scope="session")
def llm() -> "BaseLLM":
    """A model that needs no key and always says the same."""
    from live_crew.crews import seams

    class Parrot(seams.BaseLLM):
        def call(self, *args: object, **keywords: object) -> str:
            return "Thought: done\nFinal Answer: polly"

    return Parrot(model="parrot")
