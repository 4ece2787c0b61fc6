"""One server, or three that keep copies of one another's data, as processes on this machine."""

import json
import socket
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats_parts import Server, start

NODES = ("n0", "n1", "n2")
_READY_S = 30
_LOOK_S = 0.05


@dataclass
class Cluster:
    """Servers. Any of them may be killed and started again."""

    servers: list[Server]
    configs: list[str]
    version: str | None = None
    jetstream: str = ""

    @property
    def urls(self) -> list[str]:
        """Where they listen."""
        return [server.url for server in self.servers]

    def is_up(self, node: int) -> bool:
        """Whether a server runs."""
        return self.servers[node].process.poll() is None

    def revive(self, node: int) -> None:
        """Start a server again, with the data it had."""
        old = self.servers[node]
        more = {"version": self.version, "jetstream": self.jetstream}
        self.servers[node] = start(old.folder, self.configs[node], port=old.port, **more)

    def leader(self, stream: str) -> int | None:
        """The server that leads a JetStream stream, if there is one."""
        for server in filter(lambda server: server.process.poll() is None, self.servers):
            with suppress(OSError, ValueError, KeyError, StopIteration):
                accounts = _ask(server, "jsz?streams=1")["account_details"]
                streams = (one for each in accounts for one in each.get("stream_detail", ()))
                found = next(one for one in streams if one["name"] == stream)
                leader: str = found["cluster"]["leader"]
                if self.is_up(NODES.index(leader)):
                    return NODES.index(leader)
        return None

    def wait_for_leader(self, stream: str) -> None:
        """Wait until one that runs leads a stream; who asks before gets no answer."""
        end = time.monotonic() + _READY_S
        while self.leader(stream) is None:
            assert time.monotonic() < end, f"nobody leads {stream}"
            time.sleep(_LOOK_S)

    def wait(self) -> None:
        """Wait until all say that they are whole: every copy is up to date."""
        end = time.monotonic() + _READY_S
        while not all(_is_whole(server) for server in self.servers):
            assert time.monotonic() < end, "the cluster is not ready"
            time.sleep(_LOOK_S)

    def kill(self) -> None:
        """End all of them at once."""
        for server in self.servers:
            server.kill()


def start_cluster(
    folder: Path, *, size: int = 3, version: str | None = None, jetstream: str = ""
) -> Cluster:
    """A cluster that is ready."""
    names = NODES[:size]
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        ports = [one.getsockname()[1] for one in found]
    routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
    # Clients are not told of the others, so that a proxy stays between.
    configs = [
        f"server_name: {name}\ncluster {{ name: three, listen: 127.0.0.1:{port}, "
        f"routes: [{routes}], no_advertise: true }}"
        for name, port in zip(names, ports, strict=True)
    ]
    configs = configs if size > 1 else [""]
    servers: list[Server] = []
    try:
        for name, config in zip(names, configs, strict=True):
            options: dict[str, Any] = {"version": version, "jetstream": jetstream}
            servers.append(start(folder / name, config, **options))
        made = Cluster(servers, configs, version, jetstream)
        made.wait()
    except BaseException:
        for server in servers:
            server.kill()
        raise
    return made


def _ask(server: Server, what: str) -> Any:
    with urllib.request.urlopen(f"{server.monitor}/{what}", timeout=2) as answer:  # noqa: S310
        return json.load(answer)


def _is_whole(server: Server) -> bool:
    """Whether it is in touch with the one that leads them, and has what that has."""
    try:
        return bool(_ask(server, "healthz")["status"] == "ok")
    except (OSError, ValueError):
        return False
