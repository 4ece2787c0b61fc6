from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from live_crew.config import load_config
from live_crew.errors import ConfigError

CONFIG = "live_crew_config.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Writes a file, by default the configuration."""

    def write(text: str | bytes, name: str = CONFIG) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
        return path

    return write


@pytest.fixture
def mistakes(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """The messages that a configuration gets."""

    def mistakes(
        text: str | bytes = "", env: dict[str, str] | None = None, **keywords: Any
    ) -> list[str]:
        if text:
            write(text)
        with pytest.raises(ConfigError) as caught:
            load_config(env=env or {}, **keywords)
        assert str(caught.value) == "\n".join(map(str, caught.value.problems))
        return str(caught.value).split("\n")

    return mistakes
