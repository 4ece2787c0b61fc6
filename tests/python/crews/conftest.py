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
