"""`live-crew run` on NATS, in a process of its own."""

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager


class Command:
    """`live-crew run`, and what it said so far."""

    def __init__(self, process, log):
        self.process, self._log = process, log

    @property
    def said(self):
        return self._log.read_text()

    def until(self, what, seconds=30):
        """Waits until it has said something that fits."""
        end = time.monotonic() + seconds
        while not re.search(what, self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, (what, self.said)
            time.sleep(0.02)
        return self.said

    def interrupt(self):
        """Ctrl-C; gives the exit code and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30), time.monotonic() - began


@contextmanager
def command(folder, url, *args, more=""):
    folder.mkdir(parents=True, exist_ok=True)
    section = f"transport: {{kind: nats, url: '{url}', lease_s: 1, shards: 2{more}}}\n"
    (folder / "live_crew_config.yaml").write_text("slice_ms: 50\n" + section)
    (folder / "things.py").write_text(
        "from live_crew import event_handler\n\n\n"
        '@event_handler("goal")\n'
        "def scored(event):\n"
        "    return event.payload\n"
    )
    running = [sys.executable, "-m", "live_crew", "run", "--handlers", "things", *args]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            running, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out
        )
    try:
        yield Command(process, log)
    finally:
        process.kill()
        process.wait()
