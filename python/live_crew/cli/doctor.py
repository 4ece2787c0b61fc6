"""`live-crew doctor`."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from live_crew import __version__, event_handler
from live_crew._core import Journal
from live_crew.cli._acl import block, read_passwords, users
from live_crew.cli._finding import Finding
from live_crew.cli._journal import DEFAULT
from live_crew.cli._nats import check_nats
from live_crew.cli._options import AsJson, ConfigFile
from live_crew.cli._out import document, note, paint, say
from live_crew.config import LiveConfig, load_config
from live_crew.config.transport import NatsTransport
from live_crew.errors import ConfigError, LiveCrewError
from live_crew.orchestrator import Orchestrator

__all__ = ["doctor"]

_LITTLE_SPACE = 100 << 20
_OFF = ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "OTEL_SDK_DISABLED")
_YES = ("true", "1", "yes", "on")
_TESTED = (1, 15, 3), (1, 16)  # versions of CrewAI: those of `pyproject.toml`


_Monitor = Annotated[
    str | None,
    Option("--monitor", metavar="URL", help="The monitoring port of NATS: http://host:8222."),
]
_Acl = Annotated[
    bool,
    Option("--acl", help="Print users for NATS, each allowed the least that its part needs."),
]
_Passwords = Annotated[
    Path | None,
    Option("--passwords", help="YAML file of passwords by user, for --acl; others are made."),
]


def doctor(
    config: ConfigFile = None,
    monitor: _Monitor = None,
    acl: _Acl = False,
    passwords: _Passwords = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine: versions, configuration, the journal; and say what is promised on it.

    Exits with 1 if something is in the way. Example: live-crew doctor
    """
    if passwords is not None and not acl:
        raise typer.BadParameter("goes with --acl", param_hint="--passwords")
    if acl:
        _write_acl(load_config(config), passwords, as_json)
        return
    findings = list(_findings(config, monitor))
    is_ok = all(finding.state != "bad" for finding in findings)
    if as_json:
        document({"ok": is_ok, "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.what) for finding in findings)
        marks = {"ok": ("ok  ", "green"), "note": ("note", "yellow"), "bad": ("bad ", "red")}
        for finding in findings:
            mark, color = marks[finding.state]
            say(f"{paint(mark, color, sys.stdout)}  {finding.what:<{width}}  {finding.said}")
    if not is_ok:
        raise typer.Exit(1)


def _write_acl(config: LiveConfig, passwords: Path | None, as_json: bool) -> None:  # noqa: FBT001
    given = read_passwords(passwords) if passwords else {}
    members = users((entry.name for entry in config.crews), given)
    text = block(members)
    if as_json:
        document({"accounts": text, "users": [asdict(user) for user in members]})
    else:
        say(text)
    if any(user.is_made for user in members):
        note("note: passwords were made that are shown this once; keep what was printed")
    if any(user.is_plain for user in members):
        note(
            "note: passwords are plain in it; `chmod 600` the file, or give `nats server passwd`'s"
            " hashes with --passwords"
        )


def _findings(path: Path | None, monitor: str | None) -> Iterator[Finding]:
    yield Finding("live-crew", "ok", f"{__version__}, in {Path(__file__).parents[1]}")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding("python", "ok", f"{python} on {platform.system()} {platform.machine()}")
    yield from _crewai()
    loaded: LiveConfig | None = None
    try:
        loaded = load_config(path)
    except ConfigError as error:
        many = len(error.problems) or 1
        first = str(error.problems[0]) if error.problems else str(error)
        said = f"{first} ({many} problems; `live-crew validate` lists them)"
        yield Finding("configuration", "bad", first if many == 1 else said)
    else:
        yield from _configuration(loaded, monitor)
    journal = Path(loaded.journal.path) if loaded and loaded.journal.path else DEFAULT
    yield _place(journal)
    yield _self_test()
    yield Finding("promised", "ok", "same journal, same actions, context, errors and digests")
    said = "an action is published once; whoever reads them finds repeats after a crash by their id"
    yield Finding("promised", "ok", said)
    yield Finding("not promised", "note", "that a live model answers the same twice")


def _crewai() -> Iterator[Finding]:
    try:
        version = metadata.version("crewai")
    except metadata.PackageNotFoundError:
        said = (
            "not installed; handlers work without it, crews need `pip install 'live-crew[crewai]'`"
        )
        yield Finding("crewai", "note", said)
        return
    least, below = _TESTED
    tested = f">={'.'.join(map(str, least))},<{'.'.join(map(str, below))}"
    if least <= _numbers(version) < below:
        yield Finding("crewai", "ok", f"{version}, in the tested range {tested}")
    else:
        said = f"{version}, outside of the tested range {tested}; `pip install 'crewai{tested}'`"
        yield Finding("crewai", "note", said)
    yield _telemetry()


def _telemetry() -> Finding:
    """CrewAI reads these as it is imported; live-crew sets it unless somebody has."""
    said = os.environ.get("CREWAI_DISABLE_TELEMETRY")
    if by := next((name for name in _OFF if os.environ.get(name, "").lower() in _YES), None):
        return Finding("telemetry", "ok", f"off, by {by}")
    if said is None:
        return Finding("telemetry", "ok", "off, live-crew turns that of CrewAI off")
    wrong = f"on: CREWAI_DISABLE_TELEMETRY is `{said}`; unset it, and live-crew turns it off"
    return Finding("telemetry", "note", wrong)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version.partition("+")[0])[:3])


def _configuration(config: LiveConfig, monitor: str | None) -> Iterator[Finding]:
    source = config.origins.source
    if source is None:
        said = "no `live_crew_config.yaml` here, so defaults; `live-crew new` makes one"
        yield Finding("configuration", "note", said)
    else:
        crews = "1 crew" if len(config.crews) == 1 else f"{len(config.crews)} crews"
        yield Finding("configuration", "ok", f"{source.document.file}, {crews}")
    if isinstance(config.transport, NatsTransport):
        yield from check_nats(config.transport, monitor)
    else:
        yield Finding("transport", "ok", f"`{config.transport.kind}`, in this process")


def _place(journal: Path) -> Finding:
    """Whether a journal can be written where it is to be."""
    folder = journal.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        said = f"{journal}: folder {folder} cannot be written; change `journal.path` or the folder"
        return Finding("journal", "bad", said)
    free = shutil.disk_usage(folder).free
    space = f"{free / (1 << 30):.1f} GiB free"
    if free < _LITTLE_SPACE:
        return Finding("journal", "bad", f"{journal}, {space}; make room")
    return Finding("journal", "ok", f"{journal}, {'there' if journal.exists() else 'new'}, {space}")


def _self_test() -> Finding:
    """Run one event through a journal in a file and verify it, as a real run would."""

    @event_handler("ping")
    def echo(event: object) -> str:  # noqa: ARG001 (what handlers take)
        return "pong"

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        try:
            # What the environment says of a real run has nothing to do with this one.
            alone = {"transport": "memory", "kv_backend": "memory"}
            orchestrator = Orchestrator(journal=path, pace="virtual", **alone)
            orchestrator.register_handler(echo)
            event = {
                "ts": "2026-01-01T00:00:00Z",
                "kind": "ping",
                "stream_id": "doctor",
                "payload": 0,
            }
            result = orchestrator.run_sync([event])
            verdict = Journal.file(str(path)).verify("doctor")
        except LiveCrewError as error:
            return Finding("self-test", "bad", str(error))
        if not result.ok or verdict["divergence"] is not None:
            return Finding("self-test", "bad", "a run does not verify; please report this")
        said = f"one event run, journaled in SQLite {_sqlite(path)}, verified"
        return Finding("self-test", "ok", said)


def _sqlite(path: Path) -> str:
    """The version that wrote a file, and how durable it writes: its header says both."""
    head = path.read_bytes()[:100]
    number = int.from_bytes(head[96:100], "big")
    version = f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"
    is_wal = head[18:20] == b"\x02\x02"
    return f"{version} ({'write-ahead log, synced at every commit' if is_wal else 'no log'})"
