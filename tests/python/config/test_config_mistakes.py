"""What a configuration may not say, and what it is told then."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from live_crew.config import load_config
from live_crew.errors import ConfigError

Mistakes = Callable[..., list[str]]
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slice_ms: 20000", "1:11: slice_ms: 20000 is more than 10000; use 1 to 10000 (milliseconds)"),
        ("slice_ms: 0", "1:11: slice_ms: 0 is less than 1; use 1 to 10000 (milliseconds)"),
        ("slice_ms: yes", "1:11: slice_ms: true is no whole number; use 1 to 10000 (milliseconds)"),
        ("slice_ms: 1.5", "1:11: slice_ms: 1.5 is no whole number; use 1 to 10000 (milliseconds)"),
        ("slice_ms: '5'", "1:11: slice_ms: `5` is no whole number; use 1 to 10000 (milliseconds)"),
        ("slice_ms:", "1:10: slice_ms: is empty; give it a value or remove the line"),
        ("heartbeat_s: 301", "1:14: heartbeat_s: 301 is more than 300; use 1 to 300 (seconds)"),
        ("slicems: 5", "1:1: slicems: is no setting; did you mean `slice_ms`?"),
        (
            "kv_backend: sqllite",
            "1:13: kv_backend: `sqllite` is none of `memory`, `sqlite`, `jetstream` or `redis`; did you mean `sqlite`?",
        ),
        (
            "kv_backend: jetstream",
            "1:13: kv_backend: `jetstream` needs NATS, and `transport` is `memory`; add `transport: {kind: nats, url: …}` or use another `kv_backend`",
        ),
        (
            "transport: nats\nkv_backend: sqlite",
            "2:13: kv_backend: `sqlite` is a file beside the journal, and on NATS the journal is no file; use `jetstream` or `redis`",
        ),
        (
            "kv_url: redis://localhost",
            "1:9: kv_url: goes with `kv_backend: redis`, and that is `memory`; remove one",
        ),
        ("transport: natz", "1:12: transport.kind: `natz` is no transport; did you mean `nats`?"),
        (
            "transport: nats://h:4222",
            "1:12: transport.kind: `nats://h:4222` is no transport; write `{kind: nats, url: nats://h:4222}`",
        ),
        (
            "transport: {url: nats://h}",
            "1:12: transport: `kind` is missing; add `kind: …` with `memory`, `file` or `nats`",
        ),
        (
            "transport: {kind: file, path: a, actions: ./a}",
            "1:43: transport.actions: is where the events are read; name another file",
        ),
        ("transport: {kind: file}", "1:12: transport.path: is missing; add `path: …`"),
        (
            "transport: {kind: nats, urll: x}",
            "1:25: transport.urll: is no setting; did you mean `url`?",
        ),
        (
            "transport: {kind: nats, url: 'http://h'}",
            "1:30: transport.url[0]: `http://h` is no address of a server; write `nats://host:4222`",
        ),
        (
            "transport: {kind: nats, url: 5}",
            "1:30: transport.url: 5 is no address of a server; write `nats://host:4222`, or a list of them",
        ),
        (
            "transport: {kind: nats, url: {host: h}}",
            "1:30: transport.url: a mapping is no address of a server; write `nats://host:4222`, or a list of them",
        ),
        (
            "transport: {kind: nats, url: []}",
            "1:30: transport.url: a list without a server; write `nats://host:4222`",
        ),
        (
            "transport: {kind: nats, user: me}",
            "1:31: transport.user: has no password; add `password`",
        ),
        (
            "transport: {kind: nats, token: a, creds: b}",
            "1:42: transport.creds: is a second way to sign in beside `token`; remove one",
        ),
        (
            "transport: {kind: nats, token: a, url: 'nats://me@h'}",
            "1:40: transport.url[0]: has credentials in it, beside `token`; remove one",
        ),
        (
            "transport: {kind: nats, url: 'ws://h'}",
            "1:30: transport.url[0]: `ws://h` is no address of a server; write `nats://host:4222`",
        ),
        (
            "transport: {kind: nats, shards: 65}",
            "1:33: transport.shards: 65 is more than 64; use 1 to 64",
        ),
        (
            "transport: {kind: nats, replicas: 0}",
            "1:35: transport.replicas: 0 is less than 1; use 1 to 5 (copies)",
        ),
        (
            "transport: {kind: nats, role: runer}",
            "1:31: transport.role: `runer` is none of `both`, `scheduler` or `runner`; did you mean `runner`?",
        ),
        (
            "transport: {kind: nats, lease_s: 61}",
            "1:34: transport.lease_s: 61 is more than 60; use 1 to 60 (seconds)",
        ),
        (
            "transport: {kind: nats, tls: {cert: a}}",
            "1:30: transport.tls: `cert` and `key` go together; add `key`",
        ),
        ("context: 5", "1:10: context: 5 is no mapping; write `key: value` lines below it"),
        ("kinds: goal", "1:8: kinds: `goal` is no list; write `[…]`"),
        ("kinds: [on]", '1:9: kinds[0]: `on` is read by YAML as true; put it in quotes: "on"'),
        ("kinds: [12]", '1:9: kinds[0]: `12` is read by YAML as a number; put it in quotes: "12"'),
        ("kinds: [~]", '1:9: kinds[0]: `~` is read by YAML as nothing; put it in quotes: "~"'),
        ("kinds: [a-b]", "1:9: kinds[0]: `a-b` is no kind; use 1 to 50 of A-Z a-z 0-9 _"),
        (
            "kinds: [__hb]",
            "1:9: kinds[0]: `__hb` is reserved: `__` belongs to live-crew; use another name",
        ),
        (
            "late_policy_by_kind: {goal: nextt}",
            "1:29: late_policy_by_kind.goal: `nextt` is none of `next`, `drop`, `dead_letter` or `fail`; did you mean `next`?",
        ),
        (
            "late_policy_by_kind: {'g g': drop}",
            "1:23: late_policy_by_kind.g g: `g g` is no kind; use 1 to 50 of A-Z a-z 0-9 _",
        ),
        (
            "epoch: yesterday",
            "1:8: epoch: `yesterday` is no epoch; use `first_event`, `aligned` or an instant such as `2026-01-01T00:00:00Z`",
        ),
        (
            "epoch: 2026-13-01",
            "1:8: epoch: `2026-13-01` is no instant; use `first_event`, `aligned` or an instant such as `2026-01-01T00:00:00Z`",
        ),
        (
            "acceptance: on",
            "1:13: acceptance: true is no window; use `off` or `{past_s: …, future_s: …}`",
        ),
        (
            "acceptance: {past_s: -1}",
            "1:22: acceptance.past_s: -1 is less than 0; use 0 or more (seconds), or `off`",
        ),
        (
            "context: {access: {a: {reed: []}}}",
            "1:24: context.access.a.reed: is no setting; did you mean `read`?",
        ),
        (
            "redact: {payload: [a..b]}",
            "1:20: redact.payload[0]: `a..b` is no path glob; use names with `.` between them, `*` for any part",
        ),
        ("limits: {streams: 0}", "1:19: limits.streams: 0 is less than 1; use 1 or more"),
        ("journal: {retention: {max_age: 5}}", "1:23: journal.retention.max_age: is no setting; did you mean `max_age_s`?"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_its_fix(
    mistakes: Mistakes, text: str, message: str
) -> None:
    assert mistakes(text) == [f"live_crew_config.yaml:{message}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_their_places(mistakes: Mistakes) -> None:
    text = "kinds: [on]\nslice_ms: 0\nslice_ms: 0\ncrews:\n- {}\nheartbeet_s: 1\n"
    assert [message.split(":")[1] for message in mistakes(text)] == ["1", "2", "3", "5", "6"]


def test_a_problem_can_be_taken_apart(write: Write) -> None:
    write("context: {max_bytes: 0}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(env={})
    (problem,) = caught.value.problems
    place = (problem.file, problem.line, problem.column, problem.field)
    assert place == ("live_crew_config.yaml", 1, 22, "context.max_bytes")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"LIVE_CREW_SLICE_MS": "x"}, "LIVE_CREW_SLICE_MS: `x` is no whole number; use 1 to 10000 (milliseconds)"),
        ({"LIVE_CREW_SLICEMS": "5"}, "LIVE_CREW_SLICEMS: is no setting; did you mean `LIVE_CREW_SLICE_MS`?"),
        ({"LIVE_CREW_CONTEXT__MAX_BYTE": "5"}, "LIVE_CREW_CONTEXT__MAX_BYTE: is no setting; did you mean `LIVE_CREW_CONTEXT__MAX_BYTES`?"),
        ({"LIVE_CREW_SELECTR": "a"}, "LIVE_CREW_SELECTR: is no setting; did you mean `LIVE_CREW_SELECTOR`?"),
        ({"LIVE_CREW_KINDS": "[a b, 5]"}, "LIVE_CREW_KINDS[0]: `a b` is no kind; use 1 to 50 of A-Z a-z 0-9 _"),
        ({"LIVE_CREW_LIMITS": "{streams: 0}"}, "LIVE_CREW_LIMITS.streams: 0 is less than 1; use 1 or more"),
        ({"LIVE_CREW_KINDS": "[a"}, "LIVE_CREW_KINDS: a list that was opened goes on; add `]`, or `,` before the next entry"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environment_names_the_variable(
    folder: Path, mistakes: Mistakes, env: dict[str, str], message: str
) -> None:
    assert mistakes(env=env)[0] == message


def test_a_mistake_in_a_keyword_names_the_keyword(folder: Path, mistakes: Mistakes) -> None:
    assert mistakes(slice_ms=0, transport={"kind": "file", "pth": "x"}, limit={}) == [
        "slice_ms: 0 is less than 1; use 1 to 10000 (milliseconds)",
        "transport.path: is missing; add `path: …`",
        "transport.pth: is no setting; did you mean `path`?",
        "limit: is no setting; did you mean `limits`?",
    ]
