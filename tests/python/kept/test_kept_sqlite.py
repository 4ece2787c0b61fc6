"""Contexts in a file beside the journal."""

import sqlite3
from pathlib import Path

import pytest

from live_crew import Orchestrator, event_handler
from live_crew.errors import TransportError


@event_handler("tick")
def count(event, ctx):
    ctx.incr("n")


def made(path: Path, **settings: object) -> Orchestrator:
    orchestrator = Orchestrator(kv_backend="sqlite", journal=str(path), **settings)
    orchestrator.register_handler(count)
    return orchestrator


def ticks(count: int) -> list[dict[str, object]]:
    return [
        {"ts": f"2026-01-01T00:00:{n:02}Z", "kind": "tick", "stream_id": "s", "payload": n}
        for n in range(count)
    ]


def kept(path: Path) -> list[tuple[str, int, int, str]]:
    with sqlite3.connect(path) as file:
        rows = file.execute("select stream, slice, writer, context from contexts").fetchall()
    file.close()
    return rows


async def test_the_context_can_be_read_with_a_query(tmp_path):
    await made(tmp_path / "journal.db").run(ticks(3))
    assert kept(tmp_path / "journal.context.db") == [("s", 4, 1, '{"n":3}')]


async def test_it_is_mended_from_the_journal(tmp_path):
    await made(tmp_path / "journal.db").run(ticks(3))
    (tmp_path / "journal.context.db").unlink()
    for left in tmp_path.glob("journal.context.db-*"):
        left.unlink()
    await made(tmp_path / "journal.db").run([])
    assert kept(tmp_path / "journal.context.db") == [("s", 4, 1, '{"n":3}')]


async def test_every_session_is_a_higher_writer(tmp_path):
    for writer in (1, 2, 3):
        await made(tmp_path / "journal.db").run([] if writer > 1 else ticks(1))
        assert kept(tmp_path / "journal.context.db")[0][2] == writer


async def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "journal.context.db"
    with sqlite3.connect(path) as file:
        file.execute("create table mine (x)")
    file.close()
    with pytest.raises(TransportError, match="file of something else; name another file"):
        await made(tmp_path / "journal.db").run(ticks(1))
