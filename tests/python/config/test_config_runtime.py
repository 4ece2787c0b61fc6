"""What a crew may be told: in a runtime file, or by keywords."""

# ruff: noqa: E501 - a message is one line

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from live_crew.config import CrewNeed, EventNeed, LetTiming, load_runtime, make_runtime
from live_crew.errors import ConfigError

Write = Callable[..., Path]

EVERYTHING = """
crew: analytics
triggers: [user_signup, goal_*]
needs:
  - {type: crew, crew: vision, offset: -1}
  - {type: event, event: goal}
wait_policy: timeout:200
timeout_ms: 200
slice_stride: 2
backlog_policy: latest
max_backlog: 5
max_errors: 2
cooldown_slices: 10
retry: {attempts: 3, backoff_ms: 50}
batch: slice
start: close
timing: {let: 4, on_miss: late}
concurrency: 2
priority: -1
expire_after: 60
isolation: process
memory_mb: 200
cpu_s: 2
inputs: {plan: "{{ event.payload.plan }}"}
emits: {kind: user_report, ttl_ms: 60000, payload: "{{ output }}", context: {last: 1}, parse: json}
system_prompt: You are short.
user_template: "{{ event.payload.text }}"
outputs: [{kind: a, payload: b}]
patch: {x: 1}
"""


def test_a_runtime_file_says_everything_and_the_core_gets_what_it_schedules_by(
    write: Write,
) -> None:
    runtime = load_runtime(write(EVERYTHING, "a.runtime.yaml"))
    assert runtime.emits.ttl_ms == 60_000
    assert runtime.inputs == {"plan": "{{ event.payload.plan }}"}
    assert runtime.core() == {
        "crew": "analytics",
        "triggers": ["user_signup", "goal_*"],
        "needs": [
            {"type": "crew", "crew": "vision", "offset": -1},
            {"type": "event", "event": "goal", "offset": 0},
        ],
        "wait_policy": "timeout:200",
        "timeout_ms": 200,
        "slice_stride": 2,
        "backlog_policy": "latest",
        "max_backlog": 5,
        "max_errors": 2,
        "cooldown_slices": 10,
        "retry": {"attempts": 3, "backoff_ms": 50},
        "batch": "slice",
        "start": "close",
        "timing": {"let": 4, "on_miss": "late"},
        "concurrency": 2,
        "priority": -1,
        "expire_after": 60,
        "emits": {
            "kind": "user_report",
            "ttl_ms": 60_000,
            "payload": '"{{ output }}"',
            "context": '{"last": 1}',
            "parse": "json",
        },
    }


def test_what_is_not_said_is_left_to_the_core(write: Write) -> None:
    runtime = load_runtime(write("triggers: goal\n", "vision.runtime.yaml"))
    assert runtime.core() == {"crew": "vision", "triggers": ["goal"]}


@dataclass
class Dep:
    crew: str
    offset: int


@dataclass
class OnEvent:
    event: str
    offset: int


def test_needs_may_be_tuples_objects_and_mappings_and_called_dependencies() -> None:
    given = [("a", -1), Dep("b", 0), OnEvent("goal", 2), {"type": "event", "kind": "goal"}]
    runtime = make_runtime("c", dependencies=given)
    crews = (CrewNeed(crew="a"), CrewNeed(crew="b", offset=0))
    events = (EventNeed(event="goal", offset=2), EventNeed(event="goal"))
    assert runtime.needs == crews + events
    assert runtime == make_runtime("c", needs=list(runtime.needs))


@pytest.mark.parametrize("given", ["let:3", "let: 3", {"let": 3}, LetTiming(let=3)])
def test_a_let_timing_is_one_value_however_it_is_written(given: Any) -> None:
    core = make_runtime("c", timing=given).core()
    assert core["timing"] == {"let": 3, "on_miss": "fail"}


def test_keywords_that_are_none_are_not_given() -> None:
    assert make_runtime("c", triggers=["a"], timeout_ms=None).core() == {
        "crew": "c",
        "triggers": ["a"],
    }


WAYS = (
    "give the name of a model such as `openai/gpt-4o-mini`, a mapping with `model`, "
    "`{script: answers.yaml}` or `{python: module:name}`"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crew: a b", "1:7: crew: `a b` is no crew name; use 1 to 64 of A-Z a-z 0-9 _ -"),
        ("crew: 12", '1:7: crew: `12` is read by YAML as a number; put it in quotes: "12"'),
        ("triggers: [__tick]", "1:12: triggers[0]: `__tick` is reserved: `__` belongs to live-crew; use another name"),
        ("triggers: [on]", '1:12: triggers[0]: `on` is read by YAML as true; put it in quotes: "on"'),
        ("trigger: [a]", "1:1: trigger: is no setting; did you mean `triggers`?"),
        ("needs: [vision]", "1:9: needs[0]: `vision` is no need; write `{type: crew, crew: vision, offset: -1}`"),
        ("needs: [{crew: a}]", "1:9: needs[0]: `type` is missing; add `type: crew` or `type: event`"),
        ("needs: [{type: crw, crew: a}]", "1:16: needs[0].type: `crw` is no sort of need; did you mean `crew`?"),
        ("dependencies: [{type: crew, crew: a b}]", "1:35: dependencies[0].crew: `a b` is no crew name; use 1 to 64 of A-Z a-z 0-9 _ -"),
        ("needs: [{type: event, kind: __x}]", "1:29: needs[0].kind: `__x` is reserved: `__` belongs to live-crew; use another name"),
        ("needs: [{type: crew, crew: a, ofset: 1}]", "1:31: needs[0].ofset: is no setting; did you mean `offset`?"),
        ("needs: []\ndependencies: []", "2:15: dependencies: says the same as `needs`; remove one"),
        ("wait_policy: sometimes", "1:14: wait_policy: `sometimes` is no wait policy; use `all`, `any`, `none` or `timeout:<ms>`"),
        ("wait_policy: {timeout: 5}", "1:14: wait_policy: a mapping is no wait policy; write it as one text: `timeout:5`"),
        ("timeout_ms: 0", "1:13: timeout_ms: 0 is less than 1; use 1 or more (milliseconds)"),
        ("timing: soon", "1:9: timing: `soon` is no timing; use `async`, `sync`, `let:<slices>` or `{let: <slices>}`"),
        ("timing: {let: 0}", "1:15: timing.let: 0 is less than 1; use 1 or more (slices)"),
        ("timing: {let: 1, on_mis: fail}", "1:18: timing.on_mis: is no setting; did you mean `on_miss`?"),
        ("retry: 3", "1:8: retry: 3 is no mapping; write `key: value` lines below it"),
        ("retry: {attempts: 0}", "1:19: retry.attempts: 0 is less than 1; use 1 or more"),
        ("emits: {ttl_ms: 300001}", "1:17: emits.ttl_ms: 300001 is more than 300000; use 1 to 300000 (milliseconds)"),
        ("emits: {kind: __context}", "1:15: emits.kind: `__context` is reserved: `__` belongs to live-crew; use another name"),
        ("inputs: {a: .nan}", "1:13: inputs.a: nan is no JSON number; use a finite one"),
        ("batch: events", "1:8: batch: `events` is none of `event` or `slice`; did you mean `event`?"),
        ("isolation: no", '1:12: isolation: `no` is read by YAML as false; put it in quotes: "no"'),
        ("isolation: proces", "1:12: isolation: `proces` is none of `process`, `thread` or `none`; did you mean `process`?"),
        ("llm: 5", "1:6: llm: 5 names no model; " + WAYS),
        ("llm: {temperature: 1}", "1:6: llm: a mapping names no model; " + WAYS),
        ("llm: {script: a.yaml, model: x}", "1:6: llm: a mapping names more than one model; " + WAYS),
        ("llm: {python: 5}", "1:6: llm: a mapping has 5 as `python`; " + WAYS),
        ("llm: {script: a.yaml, delay: 1}", "1:6: llm: a mapping says `delay` beside `script`; remove one"),
        ("inputs: {a: 1, b: [x, '{{ event. }}']}", "1:23: inputs.b[1]: template `{{ event. }}`: syntax error: unexpected end of variable block, expected identifier or integer; correct it"),
        ("inputs: [a]", "1:9: inputs: a list is no mapping; write `key: value` lines below it"),
        ("emits: {payload: {a: '{{ }}'}}", "1:22: emits.payload.a: template `{{ }}`: syntax error: unexpected end of variable block; correct it"),
        ("emits: {context: {a: '{{ a'}}", "1:22: emits.context.a: template `{{ a`: syntax error: unexpected end of input, expected end of variable block; correct it"),
        ("system_prompt: hi", "1:16: system_prompt: goes with `user_template`, what is asked; add that, or remove this"),
        ("outputs: []", "1:10: outputs: goes with `user_template`, what is asked; add that, or remove this"),
        ("user_template: '{{ a'", "1:16: user_template: template `{{ a`: syntax error: unexpected end of input, expected end of variable block; correct it"),
        ("user_template: hi\nsystem_prompt: '{% if %}'", "2:16: system_prompt: template `{% if %}`: syntax error: unexpected end of block; correct it"),
        ("user_template: hi\noutputs:\n  - {kind: a, payload: '{% if %}'}", "3:24: outputs[0].payload: template `{% if %}`: syntax error: unexpected end of block; correct it"),
        ("user_template: '{{ event | nope }}'", "1:16: user_template: template `{{ event | nope }}`: unknown filter: filter nope is unknown; correct it"),
        ("user_template: hi\noutputs: 5", "2:10: outputs: 5 is no action; write `{kind: …, payload: …}`, or a list of these"),
        ("user_template: hi\npatch: {a: {b: '{{ a'}}", "2:16: patch.a.b: template `{{ a`: syntax error: unexpected end of input, expected end of variable block; correct it"),
        ("user_template: hi\npatch: [a]", "2:8: patch: a list is no change of the context; write `key: value` lines below it"),
        ("[]", "1:1: a list is no runtime; write `key: value` lines such as `triggers: [goal]`"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_runtime_file_is_named(write: Write, text: str, message: str) -> None:
    write(text, "a.runtime.yaml")
    with pytest.raises(ConfigError) as caught:
        load_runtime("a.runtime.yaml")
    assert str(caught.value) == f"a.runtime.yaml:{message}"


def test_the_one_jitter_there_is_may_be_said() -> None:
    runtime = make_runtime("analytics", retry={"attempts": 2, "jitter": "none"})
    assert runtime.core()["retry"] == {"attempts": 2}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"needs": [("a",)]}, 'needs[0]: a list is no need; write `("crew", -1)`'),
        ({"needs": [("a", "b")]}, "needs[0].offset: `b` is no whole number; use -2147483647 to 2147483647 (slices from the trigger)"),
        ({"inputs": {"a": {1, 2}}}, "inputs.a: a `set` is no JSON value; use texts, numbers, lists and mappings"),
        ({"inputs": {"a": {1: 2}}}, "inputs.a: a mapping has a key that is no text; use texts as keys"),
        ({"timeout": 5}, "timeout: is no setting; did you mean `timeout_ms`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_keywords_is_named(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_runtime("analytics", **keywords)
    assert str(caught.value) == message
    assert caught.value.problems[0].crew == "analytics"
