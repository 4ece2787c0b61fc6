"""A real Redis on a free port, for the tests that ask for one."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class RedisServer:
    """A server that can be killed and comes back empty."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        program = shutil.which("redis-server")
        assert program, "no `redis-server` on the path; install the package of that name"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._password = password
        self._command = [program, "--bind", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--save", "", "--dir", str(folder)]
        if password is not None:
            self._command += ["--requirepass", password]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address, with its password."""
        sign_in = f":{self._password}@" if self._password else ""
        return f"redis://{sign_in}127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                if self._say("PING") in ("+PONG", "-NOAUTH Authentication required."):
                    return
            except OSError:
                pass
            assert self._process.poll() is None, "redis-server ended at once"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.002)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, *words: str) -> str | None:
        """What it answers to a command with one answer."""
        first = self._say(*words)
        return None if first == "$-1" else first

    def context(self, stream: str) -> tuple[str | None, int | None]:
        """Context and slice of a stream, as any client reads them."""
        key = f"lc:{{{stream}}}:ctx"
        text, at = self.ask("HGET", key, "context"), self.ask("HGET", key, "slice")
        return text, None if at is None else int(at)

    def _say(self, *words: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 5) as server:
            packed = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            server.sendall(f"*{len(words)}\r\n{''.join(packed)}".encode())
            answer = server.makefile("rb")
            line = answer.readline().decode().strip()
            if line.startswith("$") and line != "$-1":
                return answer.read(int(line[1:])).decode()
            return line.removeprefix(":")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def locked_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, "opensesame")
    yield server
    server.kill()
