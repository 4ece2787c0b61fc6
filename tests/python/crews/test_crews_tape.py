"""Where answers are kept: what is stored once, what is never stored, what goes with a journal."""

import json
import sqlite3

import pytest
from traffic_parts import DONE, LOOK, run, texts

from live_crew import CrewOrchestrator, load_config
from live_crew.crews.redact import REDACTED, Redactor
from live_crew.crews.tape import Call, Place, RunKey, Tape, piece_of, tape_beside
from live_crew.errors import ConfigError, JournalError
from live_crew.testing import Recorder


def rows(path, query):
    with sqlite3.connect(path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def test_messages_that_requests_share_are_stored_once(crew, steps, look, events, tmp_path):
    path = tmp_path / "tape.db"
    says = [LOOK.format(word) for word in "abc"]
    mine = crew(steps(*says, DONE.format("found")), tools=[look])
    run(mine, events({}, {}, {}), Recorder(path))
    requests = rows(path, "SELECT request FROM call WHERE sort = 'llm'")
    asked = sum(len(request) // 16 for (request,) in requests)
    bodies = [body for (body,) in rows(path, "SELECT body FROM message")]
    system = [body for body in bodies if json.loads(body).get("role") == "system"]
    assert len(requests) == 12
    assert len(bodies) == len(set(bodies)) < asked
    assert len(system) == 1
    hashes = rows(path, "SELECT hash FROM message")
    assert {digest for (digest,) in hashes} == {piece_of(json.loads(body))[0] for body in bodies}


def test_keys_are_never_written(  # noqa: PLR0917
    crew, steps, look, events, tmp_path, monkeypatch
):
    monkeypatch.setenv("FANCY_API_KEY", "sk-from-the-environment")
    secrets = {"x-api-key": "sk-under-its-name", "nested": [{"password": "hunter2hunter2"}]}
    of_model = "sk-of-the-model-itself"
    says = [
        f"Thought: my key is {of_model}\n" + LOOK.format("sk-from-the-environment")[14:],
        DONE.format("the key is sk-from-the-environment"),
    ]
    llm = steps(*says)
    llm.api_key = of_model
    mine = crew(llm, "Use {secrets} and sk-from-the-environment.", tools=[look])
    journal = tmp_path / "journal.db"
    recorder = Recorder(tmp_path / "tape.db")
    _, result = run(mine, events({"secrets": "none"}), recorder, journal=str(journal))
    assert look.found == ["sk-from-the-environment"]
    assert texts(result) == ["the key is sk-from-the-environment"]
    # What is under the name of a secret is taken out wherever it is data.
    tape = Tape(tmp_path / "tape.db")
    digest, body = piece_of(Redactor().data({"headers": secrets}))
    key = RunKey("s", "crew", "9.0", 1)
    tape.write(
        key, 9, [Call(Place("a", 0, "tool", "t"), 1, None, 1, (digest,), "ok")], {digest: body}
    )
    tape.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("tape.db*"))
    for secret in ("sk-from-the-environment", of_model, "sk-under-its-name", "hunter2hunter2"):
        assert secret.encode() not in raw
    assert REDACTED.encode() in raw


def test_notes_of_a_run_are_without_keys(crew, model, events, monkeypatch):
    monkeypatch.setenv("OTHER_TOKEN", "tk-from-the-environment")
    llm = model(ValueError("wrong key sk-of-the-model, tk-from-the-environment"))
    llm.api_key = "sk-of-the-model"
    mine = crew(llm)
    orchestrator = CrewOrchestrator()
    orchestrator.register_crew("crew", mine, triggers=["ask"])
    orchestrator.run_sync(events({}))
    notes = json.dumps(orchestrator.journal.explain("s", "crew", 0)["runs"][0]["notes"])
    assert "wrong key [redacted], [redacted]" in notes
    assert "tk-from" not in notes


def test_traffic_is_beside_a_journal_unless_it_is_not_wanted(crew, model, events, tmp_path):
    for name, section in {
        "kept": {},
        "also": {"traffic": True},
        "not": {"traffic": False},
    }.items():
        path = tmp_path / f"{name}.db"
        journal = {"path": str(path), **section}
        run(crew(model("done")), events({}), None, journal=journal)
        assert path.exists()
        assert tape_beside(path).exists() is (name != "not")
    # Nothing of SQLite stays open or lies about.
    assert not list(tmp_path.glob("*-wal"))


def test_traffic_goes_with_what_the_journal_forgets(crew, model, events, tmp_path):
    path = tmp_path / "journal.db"
    journal = {"path": str(path), "snapshot_every": 2, "retention": {"max_bytes": 20_000}}
    mine = crew(model("done"), "Say {word}.")
    words = [{"word": f"word {at}"} for at in range(20)]
    orchestrator, _ = run(mine, events(*words), None, journal=journal)
    kept = [at for at, _ in orchestrator.journal.digests("s")]
    found = rows(tape_beside(path), "SELECT slice FROM run ORDER BY slice")
    assert 0 < len(kept) < 20
    assert [at for (at,) in found] == kept
    told = " ".join(body for (body,) in rows(tape_beside(path), "SELECT body FROM message"))
    said = [at for at in range(20) if f"Say word {at}." in told]
    assert said == [at // 2 for at in kept]


def test_a_new_journal_does_not_inherit_the_traffic_of_an_old_one(crew, model, events, tmp_path):
    path = tmp_path / "journal.db"
    run(crew(model("done")), events({}, {}), None, journal=str(path))
    path.unlink()
    run(crew(model("done")), events({}), None, journal=str(path))
    assert len(Tape(tape_beside(path)).runs()) == 1


def test_a_run_that_runs_again_replaces_what_it_asked():
    tape = Tape()
    key = RunKey("s", "crew", "0.0", 1)
    for word in ("old", "new"):
        digest, body = piece_of({"role": "user", "content": word})
        call = Call(Place("a", 0, "llm"), 1, "t", 1, (digest,), word)
        tape.write(key, 0, [call], {digest: body})
    assert [call.answer for call in tape.calls(key)] == ["new"]
    tape.forget_before({"s": 1, "other": 5})
    assert tape.all() == []
    assert tape.message(piece_of({"role": "user", "content": "new"})[0]) is None


def test_a_tape_of_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "tape.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="newer live-crew"):
        Tape(path).runs()
    (tmp_path / "no.db").write_text("this is no database, by far" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Tape(tmp_path / "no.db").runs()


def test_a_disk_that_is_full_does_not_fail_the_run(crew, model, events, tmp_path, caplog):
    recorder = Recorder(tmp_path / "tape.db")
    (tmp_path / "tape.db").write_text("this is no database, by far" * 100)
    _, result = run(crew(model("done")), events({}), recorder)
    assert texts(result) == ["done"]
    assert "its traffic could not be recorded" in caplog.text


def test_settings_that_are_none_are_told(monkeypatch):
    with pytest.raises(ConfigError, match="is neither; use `true` or `false`"):
        CrewOrchestrator(journal={"traffic": "often"})
    with pytest.raises(ConfigError, match=r"give a `live_crew\.testing\.Recorder`"):
        CrewOrchestrator(recorder="tape.db")
    monkeypatch.setenv("LIVE_CREW_JOURNAL__TRAFFIC", "true")
    assert load_config().journal.traffic is True
