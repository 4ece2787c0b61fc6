"""What `live-crew doctor` says of a server of NATS: what it is, and what is promised on it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from live_crew._core import check_server
from live_crew.cli._finding import Finding
from live_crew.config.transport import NatsTransport
from live_crew.errors import TransportError

__all__ = ["check_nats"]

_WAIT_S = 3
_SEVERAL = 3  # copies that outlive the loss of a server, and still agree
_DISK = "the loss of its disk"


class _Sync(NamedTuple):
    """How often a server makes its disk write."""

    is_always: bool
    interval: str


def check_nats(transport: NatsTransport, monitor: str | None) -> Iterator[Finding]:
    """Connect as a run would, and say what to expect."""
    try:
        found = check_server(transport.address())
    except TransportError as error:
        yield Finding("transport", "bad", str(error))
        return
    place = f"{found['server']} {found['version']}"
    cluster = f", in cluster `{found['cluster']}`" if found["cluster"] else ""
    safe = "over TLS" if found["is_encrypted"] else "without TLS"
    said = f"`nats`: {place}{cluster}; signed in {safe}: {found['sign_in']}"
    yield Finding("transport", "ok", said)
    yield _version(found)
    yield _together(found)
    yield from _room(found, transport)
    yield from _streams(found, transport)
    sync = _read_sync(monitor) if monitor else None
    if isinstance(sync, Finding):
        yield sync
        sync = None
    yield from _promises(_copies(found, transport), sync)


def _version(found: Mapping[str, Any]) -> Finding:
    if found["advice"]:
        return Finding("server version", "note", found["advice"])
    return Finding("server version", "ok", f"{found['version']}, without known faults")


def _together(found: Mapping[str, Any]) -> Finding:
    level = f"API level {found['level']}"
    log = next((one for one in found["streams"] if one["name"] == "LIVE_LOG"), None)
    if not found["has_batches"]:
        said = f"{level}: one fenced message at a time, the commit last; 2.12 stores them together"
        return Finding("commits", "note", said)
    if log is not None and not log["has_batches"]:
        said = "stream `LIVE_LOG` was made without `allow_atomic`; `nats stream edit` adds it"
        return Finding("commits", "note", said)
    return Finding("commits", "ok", f"{level}: what a slice decides is stored together or not")


def _room(found: Mapping[str, Any], transport: NatsTransport) -> Iterator[Finding]:
    storage, streams = found["max_storage"], found["max_streams"]
    room = "any number of bytes" if storage is None else _size(storage)
    number = "any number of streams" if streams is None else f"{streams} streams"
    message = f"messages of {_size(found['max_payload'])}"
    said = f"{room}, of which {_size(found['storage'])} are taken; {number}; {message}"
    yield Finding("limits", "ok", said)
    if transport.replicas > 1 and not found["cluster"]:
        said = f"`replicas: {transport.replicas}` needs a cluster, and this server is alone; use 1"
        yield Finding("replicas", "bad", said)


def _streams(found: Mapping[str, Any], transport: NatsTransport) -> Iterator[Finding]:
    for one in found["streams"]:
        copies = "1 copy" if one["replicas"] == 1 else f"{one['replicas']} copies"
        held = f"{one['messages']} messages, {_size(one['bytes'])}"
        said = f"{one['name']}, {copies}, {held}: {', '.join(one['subjects'])}"
        if one["is_hasty"]:
            said += "; `persist_mode: async` acknowledges what may get lost, make it anew without"
            yield Finding("stream", "bad", said)
        elif one["replicas"] < transport.replicas:
            said += f"; `replicas: {transport.replicas}` is configured, `nats stream edit` sets it"
            yield Finding("stream", "note", said)
        else:
            yield Finding("stream", "ok", said)
    if not found["streams"] and not found["unknown"]:
        yield Finding("stream", "note", "none yet; the first scheduler makes them")
    if found["unknown"]:
        said = f"no answer about {', '.join(found['unknown'])}; this user may not ask"
        yield Finding("stream", "note", said)


def _copies(found: Mapping[str, Any], transport: NatsTransport) -> int:
    """Of the stream with the fewest; before there are any, what is configured."""
    return min((one["replicas"] for one in found["streams"]), default=transport.replicas)


def _promises(copies: int, sync: _Sync | None) -> Iterator[Finding]:
    if sync is None:
        said = "how often the disk is written is not known; give `--monitor http://host:8222`"
        yield Finding("sync_interval", "note", said)
    else:
        said = "at every message" if sync.is_always else f"every {sync.interval}"
        yield Finding("sync_interval", "ok", f"the disk is written {said}")
    rest = sync.interval if sync and not sync.is_always else "`sync_interval` (2 minutes)"
    if copies < _SEVERAL:
        few = "1 copy" if copies == 1 else f"{copies} copies, no better than 1 at staying up"
        yield Finding("promised", "ok", f"profile dev, {few}: a restart or kill of the server")
        if not (sync and sync.is_always):
            said = f"a crash of its machine without the loss of the last {rest}, or {_DISK}"
            yield Finding("not promised", "note", said)
        else:
            yield Finding("not promised", "note", _DISK)
    elif sync and sync.is_always:
        said = f"profile strict, {copies} copies: even power cut off from all servers at once"
        yield Finding("promised", "ok", said)
    else:
        said = f"profile standard, {copies} copies: the loss of any one server"
        yield Finding("promised", "ok", said)
        said = f"power cut off from most servers at once without the loss of the last {rest}"
        yield Finding("not promised", "note", said)


def _read_sync(monitor: str) -> _Sync | Finding:
    """Ask the monitoring port: clients are not told."""
    fix = "give the address of the server's `http_port`, such as `http://host:8222`"
    if not monitor.startswith(("http://", "https://")):
        return Finding("monitor", "bad", f"`{monitor}` is no address of one; {fix}")
    url = f"{monitor.rstrip('/')}/varz"
    try:
        with urllib.request.urlopen(url, timeout=_WAIT_S) as answer:  # noqa: S310 (checked above)
            told = json.load(answer)
    except (OSError, ValueError) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        return Finding("monitor", "bad", f"{monitor} does not answer as one ({why}); {fix}")
    config = told.get("jetstream", {}).get("config") if isinstance(told, dict) else None
    if not isinstance(config, dict):
        return Finding("monitor", "bad", f"{monitor} tells nothing of JetStream; {fix}")
    seconds = config.get("sync_interval", 0) / 1_000_000_000
    return _Sync(bool(config.get("sync_always")), f"{seconds:g} s")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:  # noqa: PLR2004 (what the units are)
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"
