"""Where answers of models and tools are kept: a SQLite file beside the journal, or memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_crew.errors import JournalError

__all__ = ["Call", "Place", "RunKey", "Tape", "piece_of", "tape_beside"]

_FORMAT = 1
_HASH_BYTES = 16
_SCHEMA = f"""
CREATE TABLE message (hash BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY, stream TEXT NOT NULL, slice INTEGER NOT NULL, crew TEXT NOT NULL,
    run TEXT NOT NULL, attempt INTEGER NOT NULL, UNIQUE (stream, crew, run, attempt)
);
CREATE TABLE call (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, number INTEGER NOT NULL,
    agent TEXT NOT NULL, task INTEGER, task_name TEXT, sort TEXT NOT NULL, name TEXT NOT NULL,
    ordinal INTEGER NOT NULL, turn INTEGER NOT NULL, model TEXT,
    request_hash BLOB NOT NULL, request BLOB NOT NULL,
    answer TEXT NOT NULL, is_error INTEGER NOT NULL, is_redacted INTEGER NOT NULL,
    tokens TEXT NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};
"""
_COLUMNS = (
    "agent, task, task_name, sort, name, ordinal, turn, model, request, answer, is_error, "
    "is_redacted, tokens"
)


@dataclass(frozen=True)
class RunKey:
    """One attempt of a run."""

    stream_id: str
    crew: str
    run: str
    attempt: int

    @classmethod
    def of(cls, run: Any) -> RunKey:
        """The key of a run or of a recorded attempt."""
        return cls(run.stream_id, run.crew, run.run, run.attempt)


@dataclass(frozen=True)
class Place:
    """Who asks for an answer: the agent, in which task, a model or which tool.

    An answer is found again by its place and its ordinal there, never by what was asked.
    """

    agent: str
    task: int | None
    sort: str
    name: str = ""

    def __str__(self) -> str:
        task = "" if self.task is None else f", task {self.task + 1}"
        tool = f" of tool `{self.name}`" if self.sort == "tool" else ""
        return f"agent `{self.agent}`{task}{tool}"


@dataclass(frozen=True)
class Call:
    """One answer, and the hashes of what was asked."""

    place: Place
    ordinal: int
    task_name: str | None
    turn: int
    request: tuple[bytes, ...]
    answer: Any
    is_error: bool = False
    is_redacted: bool = False
    model: str | None = None
    tokens: dict[str, int] = field(default_factory=dict)


def piece_of(data: Any) -> tuple[bytes, str]:
    """A message as it is stored: its hash and its text."""
    body = json.dumps(data, sort_keys=True)
    return _hash(body.encode()), body


def tape_beside(journal: str | Path) -> Path:
    """The traffic of a journal: `journal.db` has `journal.traffic.db`."""
    path = Path(journal)
    return path.with_name(f"{path.stem}.traffic{path.suffix}")


class Tape:
    """Answers by run. Messages are stored once under their hash, whoever sends them."""

    def __init__(self, path: str | Path | None = None, *, is_readonly: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._is_readonly = is_readonly
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._close: Callable[[], object] = bool

    @property
    def is_there(self) -> bool:
        """Whether anything can have been recorded."""
        return self._open is not None or (self.path is not None and self.path.exists())

    def write(
        self, key: RunKey, at: int, calls: Iterable[Call], messages: Mapping[bytes, str]
    ) -> None:
        """Keep what a run asked and got, all or nothing. A run that ran before is replaced."""
        with self._transaction() as db:
            _forget(db, "stream = ? AND crew = ? AND run = ? AND attempt = ?", _values(key))
            stream, crew, run, attempt = _values(key)
            row = db.execute(
                "INSERT INTO run (stream, slice, crew, run, attempt) VALUES (?, ?, ?, ?, ?)",
                (stream, at, crew, run, attempt),
            )
            insert = (
                f"INSERT INTO call (run, number, request_hash, {_COLUMNS}) "  # noqa: S608
                f"VALUES ({', '.join('?' * 16)})"
            )
            rows = [(row.lastrowid, number, *_row(call)) for number, call in enumerate(calls)]
            db.executemany(insert, rows)
            # A hash that is there already has the same text.
            db.executemany("INSERT OR IGNORE INTO message VALUES (?, ?)", messages.items())

    def calls(self, key: RunKey) -> list[Call]:
        """What was recorded of a run, in the order in which it was asked."""
        where = "stream = ? AND crew = ? AND run = ? AND attempt = ?"
        return [call for _, call in self._read(where, _values(key))]

    def all(self) -> list[tuple[RunKey, Call]]:
        """Everything, run after run."""
        return self._read("1", ())

    def runs(self) -> set[RunKey]:
        """The runs of which something was recorded."""
        if not self.is_there:
            return set()
        with self._transaction() as db:
            return {
                RunKey(*row) for row in db.execute("SELECT stream, crew, run, attempt FROM run")
            }

    def message(self, digest: bytes) -> Any:
        """A message by its hash."""
        with self._transaction() as db:
            row = db.execute("SELECT body FROM message WHERE hash = ?", (digest,)).fetchone()
        return None if row is None else json.loads(row[0])

    def forget_before(self, first: Mapping[str, int]) -> None:
        """Forget the runs before the first slice of each stream, and what only they said."""
        with self._transaction() as db:
            gone = 0
            for stream, at in first.items():
                gone += _forget(db, "stream = ? AND slice < ?", (stream, at))
            if gone:
                _sweep(db)

    def clear(self) -> None:
        """Forget everything."""
        if self.is_there:
            with self._transaction() as db:
                _forget(db, "1", ())
                _sweep(db)

    def close(self) -> None:
        """Let go of the file; it is opened again when it is needed."""
        with self._lock:
            if self._open is not None and self.path is not None:
                self._close()
                self._open = None

    # -- inside --------------------------------------------------------------------------------

    def _read(self, where: str, values: tuple[Any, ...]) -> list[tuple[RunKey, Call]]:
        if not self.is_there:
            return []
        query = (
            f"SELECT r.stream, r.crew, r.run, r.attempt, {_COLUMNS} "  # noqa: S608
            f"FROM (SELECT * FROM run WHERE {where}) r JOIN call ON call.run = r.id "
            "ORDER BY r.stream, r.slice, r.crew, r.run, r.attempt, number"
        )
        with self._transaction() as db:
            return [(RunKey(*row[:4]), _call(row[4:])) for row in db.execute(query, values)]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                db = self._open = self._open or self._connect()
                with db:
                    yield db
            except sqlite3.Error as error:
                where = "in memory" if self.path is None else f"`{self.path}`"
                raise JournalError(f"recorded traffic {where}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        if self._is_readonly:
            # Whoever may only read cannot clear away what SQLite puts beside a file that is read.
            uri = f"{Path(str(self.path)).absolute().as_uri()}?mode=rw"
            db = sqlite3.connect(uri, uri=True, check_same_thread=False)
            db.execute("PRAGMA query_only = ON")
        else:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path or ":memory:", timeout=30, check_same_thread=False)
        # A connection that nobody closed would warn when it goes.
        self._close = weakref.finalize(self, db.close)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _FORMAT:
            raise JournalError(
                f"recorded traffic `{self.path}` is of a newer live-crew (format {version}); "
                "read it with that one"
            )
        db.execute("PRAGMA foreign_keys = ON")
        if not self._is_readonly:
            # A crash of the program loses nothing; the journal decides what has happened.
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                db.executescript(_SCHEMA)
        return db


def _forget(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> int:
    return db.execute(f"DELETE FROM run WHERE {where}", values).rowcount  # noqa: S608


def _sweep(db: sqlite3.Connection) -> None:
    """Remove the messages that no request has."""
    kept: set[bytes] = set()
    for (request,) in db.execute("SELECT request FROM call"):
        kept.update(_hashes(request))
    gone = [row for row in db.execute("SELECT hash FROM message") if row[0] not in kept]
    db.executemany("DELETE FROM message WHERE hash = ?", gone)


def _values(key: RunKey) -> tuple[str, str, str, int]:
    return (key.stream_id, key.crew, key.run, key.attempt)


def _row(call: Call) -> tuple[Any, ...]:
    request = b"".join(call.request)
    place = call.place
    return (
        *(_hash(request), place.agent, place.task, call.task_name, place.sort, place.name),
        *(call.ordinal, call.turn, call.model, request),
        *(json.dumps(call.answer), call.is_error, call.is_redacted),
        json.dumps(call.tokens),
    )


def _call(row: tuple[Any, ...]) -> Call:
    agent, task, task_name, sort, name, ordinal, turn, model, request, answer, *rest = row
    is_error, is_redacted, tokens = rest
    return Call(
        place=Place(agent, task, sort, name),
        ordinal=ordinal,
        task_name=task_name,
        turn=turn,
        request=tuple(_hashes(request)),
        answer=json.loads(answer),
        is_error=bool(is_error),
        is_redacted=bool(is_redacted),
        model=model,
        tokens=json.loads(tokens),
    )


def _hashes(request: bytes) -> list[bytes]:
    return [request[at : at + _HASH_BYTES] for at in range(0, len(request), _HASH_BYTES)]


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()
