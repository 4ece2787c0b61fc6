"""Who may do what at a server of NATS: users with the least that their part needs.

Permissions alone would not do: whoever may ask a question names the subject that its answer goes
to, and servers check no permission for that. So everybody but schedulers is in an account of their
own, where answers stay, and of the subjects of live-crew there are only those that are imported.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from live_crew.config._yaml import load
from live_crew.errors import ConfigError

__all__ = ["User", "block", "read_passwords", "users"]

_STREAMS = ("LIVE_EVENTS", "LIVE_LOG", "LIVE_RUNS", "LIVE_REPORTS", "LIVE_DLQ")
_BUCKETS = ("live_ctx", "live_lease", "live_nodes")
_CONTEXT = "KV_live_ctx"
_HOME = "LIVE"  # the account with JetStream
# What every connection asks first: what JetStream can do. It tells how much is kept, not what.
_HELLO = "$JS.API.INFO"
_MADE = 24  # random bytes of a password
_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True)
class User:
    """A user, and the subjects it may send to and listen on."""

    name: str
    password: str
    account: str
    why: str
    publish: tuple[str, ...]
    listen: tuple[str, ...]
    is_made: bool
    """Whether the password was made here, so that nobody knows it yet."""

    @property
    def inbox(self) -> str:
        """Where its answers come to; with `_INBOX.>` each would read those of all."""
        return f"_INBOX_{self.name}.>"

    @property
    def is_plain(self) -> bool:
        """Whether the password can be read in the file."""
        return not _BCRYPT.fullmatch(self.password)


def users(crews: Iterable[str], passwords: Mapping[str, str]) -> list[User]:
    """Every user there is to be. A password that is not given is made."""
    parts = list(_parts(crews))
    if strange := sorted(set(passwords) - {name for name, *_ in parts}):
        known = ", ".join(f"`{name}`" for name, *_ in parts)
        raise ConfigError(f"password of `{strange[0]}`, which is no user; there are {known}")
    return [
        User(
            name,
            passwords.get(name) or secrets.token_urlsafe(_MADE),
            _HOME if name == "scheduler" else _account(name),
            why,
            (_HELLO, *publish),
            tuple(listen),
            is_made=name not in passwords,
        )
        for name, why, publish, listen in parts
    ]


def _account(user: str) -> str:
    part, _, crew = user.partition("-")
    # Crews may differ in case alone.
    return f"{part.upper()}_{crew}" if crew else part.upper()


_Part = tuple[str, str, Iterable[str], Iterable[str]]


def _parts(crews: Iterable[str]) -> Iterator[_Part]:
    # Every host says when a stream is silent; runners only in their log, for errors are not theirs.
    beats = "live.*.heartbeats"
    yield "scheduler", "decides, and keeps all that is kept", _scheduler(), [beats]
    for crew in sorted(crews):
        hear = [f"live.*.slice.*.{crew}.cancel", beats]
        yield f"runner-{crew}", f"takes runs of `{crew}`, and answers them", _runner(crew), hear
    yield "producer", "sends events", ["live.*.events"], ()
    read = (f"live.*.{what}" for what in ("actions", "errors", "late", "heartbeats"))
    yield "reader", "reads actions, what went wrong, and the context", _reader(), read


def _scheduler() -> Iterator[str]:
    yield "live.*.events"  # dead letters that are sent again
    for what in ("journal", "snapshots", "actions", "errors", "late", "dlq", "heartbeats"):
        yield f"live.*.{what}"
    yield from ("live.shard.*.term", "live.shard.*.mark", "live.*.term", "live.*.mark")
    yield from (f"live.*.slice.*.*.{what}" for what in ("ready", "done", "cancel"))
    yield from (f"$KV.{bucket}.>" for bucket in _BUCKETS)
    # Not DELETE: no mistake of live-crew removes a stream.
    for stream in (*_STREAMS, *(f"KV_{bucket}" for bucket in _BUCKETS)):
        for verb in ("CREATE", "UPDATE", "INFO", "PURGE", "MSG.GET", "MSG.DELETE"):
            yield f"$JS.API.STREAM.{verb}.{stream}"
        yield from (f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.>")
        for verb in ("CREATE", "INFO", "DELETE", "MSG.NEXT"):
            yield f"$JS.API.CONSUMER.{verb}.{stream}.>"
        yield f"$JS.API.CONSUMER.CREATE.{stream}"
        # What it took, and how fast a watch of a bucket may go.
        yield from (f"$JS.ACK.{stream}.>", f"$JS.FC.{stream}.>")


def _runner(crew: str) -> Iterator[str]:
    consumer = f"LIVE_RUNS.run-{crew}"
    yield "$JS.API.STREAM.INFO.LIVE_RUNS"
    # With the filter in the subject, for a consumer that may take any other is one of all crews.
    yield f"$JS.API.CONSUMER.CREATE.{consumer}.live.*.slice.*.{crew}.ready"
    yield f"$JS.API.CONSUMER.INFO.{consumer}"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{consumer}"
    yield f"$JS.ACK.{consumer}.>"
    done = f"live.*.slice.*.{crew}.done"
    yield done
    # Whether a run that comes again was answered. Not MSG.GET: its body says what it asks for.
    yield f"$JS.API.DIRECT.GET.LIVE_RUNS.{done}"


def _reader() -> Iterator[str]:
    yield f"$JS.API.STREAM.INFO.{_CONTEXT}"
    yield f"$JS.API.STREAM.MSG.GET.{_CONTEXT}"
    yield f"$JS.API.DIRECT.GET.{_CONTEXT}"
    yield f"$JS.API.DIRECT.GET.{_CONTEXT}.>"


def block(members: Sequence[User]) -> str:
    """The `accounts` of a server's configuration."""
    others = [user for user in members if user.account != _HOME]
    lines = ["# Made by `live-crew doctor --acl`. Include it in the server's configuration, beside"]
    lines += ["# `jetstream {…}`, and without other users or accounts of these names.", ""]
    lines.append("accounts {")
    for user in members:
        lines += [f"  {_quoted(user.account)}: {{", f"    # {user.why}"]
        if user.account == _HOME:
            lines += ["    jetstream: enabled", *_list("exports", _exports(others))]
        else:
            lines += _list("imports", _imports(user))
        name, password = _quoted(user.name), _quoted(user.password)
        lines.append(f"    users: [{{ user: {name}, password: {password}, permissions: {{")
        lines += _list("publish", map(_quoted, user.publish))
        lines += _list("subscribe", map(_quoted, (user.inbox, *user.listen)))
        lines += ["    } }]", "  }"]
    return "\n".join([*lines, "}"])


def _exports(others: Iterable[User]) -> Iterator[str]:
    """What others may import, and who."""
    who: dict[tuple[str, str], list[str]] = {}
    for user in others:
        for sort, subjects in (("service", user.publish), ("stream", user.listen)):
            for subject in subjects:
                who.setdefault((sort, subject), []).append(_quoted(user.account))
    for (sort, subject), accounts in who.items():
        # These answer with several messages, or later.
        many = ", response_type: stream" if ".MSG.NEXT." in subject or ".DIRECT." in subject else ""
        yield f"{{{sort}: {_quoted(subject)}{many}, accounts: [{', '.join(accounts)}]}}"


def _imports(user: User) -> Iterator[str]:
    for sort, subjects in (("service", user.publish), ("stream", user.listen)):
        for subject in subjects:
            yield f"{{{sort}: {{account: {_HOME}, subject: {_quoted(subject)}}}}}"


def _list(key: str, items: Iterable[str]) -> list[str]:
    return [f"    {key}: [", *(f"      {item}" for item in items), "    ]"]


def _quoted(text: str) -> str:
    # A bare password may read as a number, or as a variable.
    return json.dumps(text, ensure_ascii=False)


def read_passwords(path: Path) -> dict[str, str]:
    """A YAML file of passwords by user."""
    document = load(str(path))
    if document.problems:
        raise ConfigError(problems=document.problems)
    given = document.data
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: no passwords by user; write `producer: …` lines")
    for name, password in given.items():
        if not isinstance(password, str) or not password:
            raise ConfigError(f"{path}: `{name}` has no password; put a text in quotes")
    return dict(given)
