"""Servers of NATS, started for a test and killed after it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats_parts import Server, start


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A plain server with JetStream, shared by all tests: name your streams apart."""
    server = start(tmp_path_factory.mktemp("nats"))
    yield server
    server.kill()


StartNats = Callable[..., Server]


@pytest.fixture
def start_nats(tmp_path: Path) -> Iterator[StartNats]:
    """Starts servers with a configuration; they end with the test."""
    started: list[Server] = []

    def begin(config: str = "", *, folder: Path | None = None, **options: Any) -> Server:
        server = start(folder or tmp_path / f"nats{len(started)}", config, **options)
        started.append(server)
        return server

    yield begin
    for server in started:
        server.kill()
