"""Keywords over environment over YAML over defaults, and where each value came from."""

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live_crew.config import (
    FileTransport,
    LiveConfig,
    MemoryTransport,
    NatsTransport,
    describe,
    load_config,
)
from live_crew.errors import ConfigError, Problem

Write = Callable[..., Path]


def test_without_a_file_everything_is_a_default(folder: Path) -> None:
    config = load_config(env={})
    assert config == LiveConfig()
    assert (config.slice_ms, config.heartbeat_s, config.kv_backend) == (500, 10, "memory")
    assert config.core("virtual") == {"pace": "virtual"}
    assert {setting.origin for setting in describe(config)} == {"default"}


def test_two_names_are_found_by_themselves_in_this_order(write: Write) -> None:
    write("slice_ms: 1\n", "live-config.yaml")
    assert load_config(env={}).slice_ms == 1
    write("slice_ms: 2\n")
    assert load_config(env={}).slice_ms == 2


def problems_of(path: str | None, **keywords: Any) -> tuple[Problem, ...]:
    """Of a configuration, which may be right; every exception but `ConfigError` comes through."""
    try:
        load_config(path, env={}, **keywords)
    except ConfigError as error:
        return error.problems or pytest.fail("an error without a problem")
    return ()


SETTINGS: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("slice_ms",): st.integers(1, 10_000),
    ("heartbeat_s",): st.integers(1, 300),
    ("late_policy",): st.sampled_from(["next", "drop", "dead_letter", "fail"]),
    ("kinds",): st.lists(st.sampled_from(["goal", "on", "null", "x1"]), max_size=3),
    ("context", "max_bytes"): st.integers(1, 1 << 40),
    ("context", "conflicts"): st.sampled_from(["last_wins", "error"]),
    ("limits", "streams"): st.integers(1, 1_000),
    ("journal", "retention", "max_age_s"): st.integers(1, 1_000),
    ("redact", "payload"): st.lists(st.sampled_from(["a", "a.*", "b.c"]), max_size=2),
}
LAYER = st.fixed_dictionaries({}, optional=SETTINGS)


def nested(layer: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for path, value in layer.items():
        at = out
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = value
    return out


@given(file=LAYER, env=LAYER, keywords=LAYER)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_highest_layer_that_says_a_value_wins(
    write: Write, file: dict[Any, Any], env: dict[Any, Any], keywords: dict[Any, Any]
) -> None:
    write(yaml.safe_dump(nested(file)))
    names = {path: "LIVE_CREW_" + "__".join(path).upper() for path in env}
    texts = {
        names[path]: value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True)
        for path, value in env.items()
    }
    config = load_config(env=texts, **nested(keywords))
    origins = {setting.path: setting.origin for setting in describe(config)}
    for path in SETTINGS:
        value: Any = config
        for name in path:
            value = getattr(value, name)
        layers = (keywords, env, file)
        expected = next((layer[path] for layer in layers if path in layer), None)
        if expected is not None:
            assert value == (tuple(expected) if isinstance(expected, list) else expected)
        origin = origins[".".join(path)]
        if path in keywords:
            assert origin == "keyword"
        elif path in env:
            assert origin == names[path]
        elif path in file:
            assert origin.startswith("live_crew_config.yaml:")
        else:
            assert origin == "default"


@given(
    st.one_of(st.text(), st.text("abckinds:-[]{}&*!|>'\"#%@\n \t,?~<0.5", max_size=60), st.binary())
)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_garbage_is_a_config_error_and_nothing_else(write: Write, text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    write(raw)
    write(raw, "a.runtime.yaml")
    config = "crews: [{python: 'a:b', runtime: a.runtime.yaml}]\n"
    write(config, "c.yaml")
    for name in (None, "c.yaml"):
        problems_of(name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "type", "crew", "path", "let", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(LiveConfig.model_fields)), JSON, max_size=4), JSON)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_right_names_with_wrong_values_are_a_config_error_and_nothing_else(
    folder: Path, keywords: dict[str, Any], runtime: Any
) -> None:
    crews = [{"python": "a:b", "runtime": runtime}]
    problems_of(None, **keywords)
    problems_of(None, **{**keywords, "crews": crews})


def test_a_bare_transport_is_its_kind(write: Write) -> None:
    write("transport: nats\n")
    assert load_config(env={}).transport == NatsTransport()
    assert load_config(env={"LIVE_CREW_TRANSPORT": "memory"}).transport == MemoryTransport()
    env = {"LIVE_CREW_TRANSPORT__URL": "[nats://a:1, nats://b:2]"}
    assert load_config(env=env).transport == NatsTransport(url=("nats://a:1", "nats://b:2"))


def test_a_transport_of_another_kind_takes_nothing_over(write: Write, folder: Path) -> None:
    write("transport: {kind: file, path: in.jsonl, actions: out.jsonl}\n")
    config = load_config(env={})
    assert config.transport == FileTransport(
        path=str(folder / "in.jsonl"), actions=str(folder / "out.jsonl")
    )
    assert config.effective_pace == "virtual"
    live = load_config(env={}, transport="nats")
    assert live.transport == NatsTransport()
    assert live.effective_pace == "realtime"
    assert load_config(env={}, pace="virtual").effective_pace == "virtual"


def test_texts_of_the_environment_are_taken_as_they_stand(folder: Path) -> None:
    env = {
        "LIVE_CREW_TRANSPORT__KIND": "nats",
        "LIVE_CREW_TRANSPORT__USER": "no",
        "LIVE_CREW_TRANSPORT__PASSWORD": "0123: #x",
        "LIVE_CREW_SELECTOR": "(a|b)",
        "LIVE_CREW_SLICE_MS": "",
        "PATH": "x",
    }
    transport = load_config(env=env).transport
    assert isinstance(transport, NatsTransport)
    assert transport.user == "no"
    assert transport.password is not None
    assert transport.password.get_secret_value() == "0123: #x"


def test_the_environment_of_the_process_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_CREW_SLICE_MS", "7")
    assert load_config().slice_ms == 7
    assert "LIVE_CREW_SLICE_MS" in os.environ


def test_sqlite_has_a_journal_without_being_told(write: Write, folder: Path) -> None:
    write("kv_backend: sqlite\n")
    config = load_config(env={})
    assert config.journal.path == str(folder / ".live_crew/journal.db")
    (path,) = [setting for setting in describe(config) if setting.path == "journal.path"]
    assert path.origin == "default"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05.6Z", datetime(2026, 1, 2, 3, 4, 5, 600_000, timezone.utc)),
        ("2026-01-02 03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=timezone.utc)),
    ],
)
def test_an_epoch_may_be_an_instant_and_without_a_zone_it_is_utc(
    write: Write, text: str, instant: datetime
) -> None:
    write(f"epoch: {text}\n")
    assert load_config(env={}).epoch == instant
    assert load_config(env={}, epoch=instant).core("virtual") == {
        "pace": "virtual",
        "epoch": instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def test_the_core_gets_what_was_said_in_plain_values(write: Write) -> None:
    write(
        "slice_ms: 100\nlateness_ms: 5\nepoch: aligned\nlate_policy: drop\n"
        "late_policy_by_kind: {goal: fail}\ndedupe_window_s: 3\nkinds: [goal]\n"
        "context: {conflicts: error, access: {a: {read: ['*'], write: [score.*]}}}\n"
        "redact: {payload: [user.email]}\nlimits: {streams: 5}\n"
        "heartbeat_s: 5\nacceptance: off\n"
    )
    config = load_config(env={})
    assert config.acceptance == "off"
    assert config.core("realtime") == {
        "pace": "realtime",
        "slice_ms": 100,
        "lateness_ms": 5,
        "epoch": "aligned",
        "late_policy": "drop",
        "late_policy_by_kind": {"goal": "fail"},
        "dedupe_window_s": 3,
        "context": {"conflicts": "error", "access": {"a": {"read": ["*"], "write": ["score.*"]}}},
        "redact": {"payload": ["user.email"]},
        "kinds": ["goal"],
        "limits": {"streams": 5},
    }
