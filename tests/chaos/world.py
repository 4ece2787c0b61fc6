"""The servers, the hosts, and the wires between them."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nats_clock import wrong_clock
from nats_cluster import Cluster, start_cluster
from nats_proxy import Proxy

HOME = Path(__file__).parents[2]
# Schedulers have every crew but the one that is handed over; `guess` and `count` stay with them.
_SCHEDULER = {"LIVE_CREW_TRANSPORT__ROLE": "scheduler", "LIVE_CREW_SELECTOR": "(count|guess)"}
_RUNNER = {"LIVE_CREW_TRANSPORT__ROLE": "runner", "LIVE_CREW_SELECTOR": "echo"}


@dataclass(eq=False)
class Host:
    """A process of live-crew that is started again whenever it ends, as services are."""

    name: str
    folder: Path
    proxies: list[Proxy]
    more: dict[str, str]
    clock_off_s: int = 0
    # Somebody does something to it just now.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Begin, or begin again."""
        self.began = time.monotonic()
        clock = wrong_clock(self.folder, self.clock_off_s) if self.clock_off_s else {}
        command = [sys.executable, "-m", "live_crew", "run"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", f"{self.name}.yaml", "--handlers", "crews"],
                cwd=self.folder,
                env={**os.environ, **clock, **self.more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        """End at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def signal(self, number: int) -> None:
        """Freeze, or thaw."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


def disk_for(events: int) -> int:
    """Bytes for so many events, their runs and their answers, and for what is not counted."""
    return 8_000 * events + (1 << 30)


class World:
    """What faults happen to."""

    def __init__(self, folder: Path, *, replicas: int, lateness_ms: int, disk: int) -> None:
        self.folder = folder
        self.replicas = replicas
        self.began = time.monotonic()
        self.disks = self._mount(("n0", "n1", "n2")[:replicas], disk) if disk else []
        self.servers: Cluster = start_cluster(folder, size=replicas)
        # Of a cluster one server is away at a time, unless all of them are.
        self.server_lock = asyncio.Lock()
        self.lateness_ms = lateness_ms
        self.hosts: list[Host] = []
        self.ended: list[str] = []
        shutil.copy(Path(__file__).with_name("crews.py"), folder)

    async def start_hosts(self, pairs: int) -> None:
        """Two sorts of hosts, each behind wires of its own."""
        made = [(f"scheduler{n}", _SCHEDULER) for n in range(pairs)]
        made += [(f"runner{n}", _RUNNER) for n in range(pairs)]
        for name, more in made:
            proxies = [await Proxy.start(url) for url in self.servers.urls]
            urls = ", ".join(f"'{proxy.url}'" for proxy in proxies)
            (self.folder / f"{name}.yaml").write_text(self.settings(urls))
            self.hosts.append(Host(name, self.folder, proxies, more))
            self.hosts[-1].start()
        # Read by the commands that judge, straight from the servers.
        urls = ", ".join(f"'{url}'" for url in self.servers.urls)
        (self.folder / "live_crew_config.yaml").write_text(self.settings(urls))

    def settings(self, urls: str) -> str:
        """The configuration of everybody."""
        return (
            f"slice_ms: 100\nlateness_ms: {self.lateness_ms}\n"
            f"transport: {{kind: nats, url: [{urls}], lease_s: 1, shards: 4, "
            f"replicas: {self.replicas}}}\n"
        )

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def say(self, what: str) -> None:
        """Tell what happens, and when."""
        print(f"{self.seconds:7.1f} s  {what}", flush=True)

    async def watch(self) -> None:
        """Start hosts again that ended by themselves, and note what they said last."""
        while True:
            for host in self.hosts:
                if host.process is None or host.process.poll() is None or host.lock.locked():
                    continue
                lines = host.log.read_text().strip().splitlines()
                lived = time.monotonic() - host.began
                why = f"{host.name} ended after {lived:.1f} s: {lines[-1] if lines else '?'}"
                self.say(why)
                self.ended.append(why)
                host.start()
            await asyncio.sleep(0.5)

    def thaw(self) -> None:
        """Undo what faults may have left when they were broken off."""
        for host in self.hosts:
            host.signal(signal.SIGCONT)
            for proxy in host.proxies:
                proxy.mend()
        for disk in self.disks:
            (disk / "filler").unlink(missing_ok=True)
        for node in range(len(self.servers.servers)):
            if not self.servers.is_up(node):
                self.servers.revive(node)

    async def end(self, *, keep: bool) -> None:
        """Let nothing behind, or only what the servers have stored."""
        for host in self.hosts:
            host.kill()
            for proxy in host.proxies:
                await proxy.close()
        await asyncio.to_thread(self._end_servers, keep=keep)

    def _end_servers(self, *, keep: bool) -> None:
        self.servers.kill()
        for disk in self.disks:
            if keep:
                shutil.copytree(disk, f"{disk}.kept")
            subprocess.run(["umount", disk], check=False)

    def _mount(self, names: tuple[str, ...], size: int) -> list[Path]:
        """A small disk for each server, where that is allowed; else none is ever full."""
        disks = []
        for name in names:
            disk = self.folder / name
            disk.mkdir(parents=True)
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                disks.append(disk)
        return disks
