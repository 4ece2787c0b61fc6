"""Secrets stay secret, values show where they came from, plans show where they are wrong."""

# ruff: noqa: E501 - a message is one line

import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from live_crew.config import describe, load_config, load_runtime, locate_problems
from live_crew.config._suggest import mask
from live_crew.errors import ConfigError, PlanError, Problem

Mistakes = Callable[..., list[str]]
Write = Callable[..., Path]

SECRET = "hunter2"  # noqa: S105 - that is the point


def test_every_value_shows_where_it_came_from(write: Write) -> None:
    write("triggers: [a]\n", "crews/one/one.runtime.yaml")
    write("slice_ms: 100\ncontext: {max_bytes: 9}\ncrews: [{path: crews/one}]\n")
    config = load_config(env={"LIVE_CREW_HEARTBEAT_S": "3"}, late_policy="drop")
    found = {setting.path: (setting.value, setting.origin) for setting in describe(config)}
    assert found["slice_ms"] == (100, "live_crew_config.yaml:1:11")
    assert found["context.max_bytes"] == (9, "live_crew_config.yaml:2:22")
    assert found["context.conflicts"] == ("last_wins", "default")
    assert found["heartbeat_s"] == (3, "LIVE_CREW_HEARTBEAT_S")
    assert found["late_policy"] == ("drop", "keyword")
    assert found["crews[0].runtime.triggers"] == (["a"], "crews/one/one.runtime.yaml:1:11")
    assert found["crews[0].runtime.batch"] == ("event", "default")


@pytest.mark.parametrize(
    "transport",
    [
        f"{{kind: nats, user: me, password: {SECRET}}}",
        f"{{kind: nats, token: {SECRET}}}",
        f"{{kind: nats, creds: {SECRET}}}",
        f"{{kind: nats, nkey: {SECRET}}}",
        f"{{kind: nats, tls: {{cert: a, key: {SECRET}}}}}",
        f"{{kind: nats, url: 'nats://me:{SECRET}@host'}}",
    ],
)
def test_a_secret_is_in_no_repr_and_not_shown(write: Write, transport: str) -> None:
    write(f"transport: {transport}\nkv_backend: redis\nkv_url: 'redis://:{SECRET}@host'\n")
    config = load_config(env={})
    assert SECRET not in repr(config)
    assert SECRET not in repr(config.transport)
    assert SECRET not in repr(describe(config))
    assert "[redacted]" in repr(describe(config))


@pytest.mark.parametrize(
    "text",
    [
        f"transport: {{kind: nats, password: [{SECRET}]}}",
        f"transport: {{kind: nats, token: {{a: {SECRET}}}}}",
        f"transport: {{kind: nats, pasword: {SECRET}}}",
        f"transport: {{kind: nats, password: *{SECRET}}}",
        f"transport: {{kind: nats, password: !{SECRET} x}}",
        f"transport: {{kind: nats, password: {SECRET}: x}}",
        f"transport: {{kind: nats, url: 'http://me:{SECRET}@host'}}",
        f"transport: nats://me:{SECRET}@host",
        f"kv_url: http://me:{SECRET}@host",
        f"inputs: {SECRET}",
    ],
)
def test_a_secret_is_in_no_message(write: Write, text: str) -> None:
    write(text)
    with pytest.raises(ConfigError) as caught:
        load_config(env={})
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"me:{SECRET}@h:4222", "[redacted]@h:4222"),
        (f"nats://me:a@{SECRET}@h", "nats://[redacted]@h"),
        (f"nats://{SECRET}/x@h:1", "nats://[redacted]@h:1"),
        ("nats://h:4222", "nats://h:4222"),
    ],
)
def test_an_address_is_told_from_behind_its_last_at_sign(address: str, told: str) -> None:
    assert mask(address) == told


def test_a_number_as_a_password_is_explained_without_it(mistakes: Mistakes) -> None:
    message = mistakes("transport: {kind: nats, user: me, password: 12345}\n")[0]
    place = "live_crew_config.yaml:1:45: transport.password"
    assert message == f"{place}: is read by YAML as a number; put it in quotes"


def test_problems_of_a_plan_get_their_places(write: Write) -> None:
    write(
        "triggers: [goal]\nneeds:\n  - {type: crew, crew: a}\n  - {type: crew, crew: visions}\n"
        "timing: sync\n",
        "one/one.runtime.yaml",
    )
    write(
        "crews:\n- path: one\n- python: m:two\n  runtime:\n    dependencies: [{type: event, kind: gaol}]\n"
        "    timing: let:3\n    retry: {attempts: 500}\n"
        "context: {access: {thre: {read: [a]}}}\n"
    )
    config = load_config(env={})
    unknown = "crew `one` needs `visions`, which no crew provides; did you mean `vision`?"
    error = PlanError(
        "…",
        [
            {"crew": "one", "field": "needs", "message": unknown},
            {"crew": "one", "field": "timing", "message": "it takes `timeout_ms` beside it"},
            {"crew": "two", "field": "needs", "message": "crew `two` names kind `gaol`"},
            {"crew": "two", "field": "timing.let", "message": "too far"},
            {"crew": "two", "field": "retry.attempts", "message": "too many"},
            {"crew": "two", "field": "triggers", "message": "none"},
            {"crew": "two", "field": None, "message": "would never run"},
            {"crew": "thre", "field": "context.access", "message": "is no crew"},
            {"crew": "keyword", "field": "needs", "message": "from Python"},
        ],
    )
    located = locate_problems(error, config.sources, config)
    assert str(located).split("\n") == [
        f"one/one.runtime.yaml:4:5: needs[1]: {unknown}",
        "one/one.runtime.yaml:5:9: timing: it takes `timeout_ms` beside it",
        "live_crew_config.yaml:5:5: crews[1].runtime.triggers: none",
        "live_crew_config.yaml:5:5: crews[1].runtime.crew: would never run",
        "live_crew_config.yaml:5:20: crews[1].runtime.dependencies[0]: crew `two` names kind `gaol`",
        "live_crew_config.yaml:6:13: crews[1].runtime.timing.let: too far",
        "live_crew_config.yaml:7:23: crews[1].runtime.retry.attempts: too many",
        "live_crew_config.yaml:8:20: context.access.thre: is no crew",
        "needs: from Python",
    ]
    assert located.problems[0].crew == "one"


def test_a_runtime_read_alone_knows_its_place(write: Write) -> None:
    runtime = load_runtime(write("crew: one\nslice_stride: 2\n", "one.runtime.yaml"))
    assert runtime.source is not None
    error = PlanError("…", [{"crew": "one", "field": "slice_stride", "message": "no"}])
    assert str(locate_problems(error, {"one": runtime.source})) == (
        "one.runtime.yaml:2:15: slice_stride: no"
    )


def test_a_crew_without_a_runtime_is_where_it_is_listed(write: Write) -> None:
    write("crews:\n  - python: pkg:handler\n")
    config = load_config(env={})
    error = PlanError("…", [{"crew": "handler", "field": None, "message": "would never run"}])
    located = str(locate_problems(error, config.sources))
    assert located == "live_crew_config.yaml:2:5: crews[0].crew: would never run"


def test_a_configuration_can_be_sent_to_another_process(write: Write) -> None:
    write("transport: {kind: nats, token: x}\ncrews: [{python: 'a:b'}]\nepoch: 2026-01-01\n")
    config = load_config(env={})
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config


def test_an_error_survives_a_process_border() -> None:
    error = ConfigError(problems=[Problem("is odd", "a", "f.yaml", 1, 2)])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "f.yaml:1:2: a: is odd"
    assert again.problems == error.problems
