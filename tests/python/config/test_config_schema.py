"""The schemas that editors complete by take what the loader takes."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import yaml

from live_crew.config import CrewRuntime, LiveConfig
from live_crew.schema import json_schema

OF: tuple[Literal["config", "runtime"], ...] = ("config", "runtime")


def walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """As much of Draft 2020-12 as the schemas use."""
    if "$ref" in schema and not fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root):
        return False
    sorts = {"object": dict, "array": list, "string": str, "integer": int}
    if "type" in schema:
        sort = sorts[schema["type"]]
        if not isinstance(value, sort) or (sort is int and isinstance(value, bool)):
            return False
    checks = [
        "enum" not in schema or any(type(value) is type(v) and value == v for v in schema["enum"]),
        "anyOf" not in schema or any(fits(value, one, root) for one in schema["anyOf"]),
        "oneOf" not in schema or sum(fits(value, one, root) for one in schema["oneOf"]) == 1,
        "not" not in schema or not fits(value, schema["not"], root),
        set(schema.get("required", ())) <= set(value if isinstance(value, dict) else ()),
    ]
    if isinstance(value, str):
        checks.append(re.search(schema.get("pattern", ""), value) is not None)
        checks.append(len(value) >= schema.get("minLength", 0))
    if isinstance(value, int) and not isinstance(value, bool):
        checks.append(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, list):
        checks.append(len(value) >= schema.get("minItems", 0))
        checks.extend(fits(item, schema.get("items", {}), root) for item in value)
    if isinstance(value, dict):
        checks.extend(_members(value, schema, root))
    return all(checks)


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> Iterator[bool]:
    patterns = schema.get("patternProperties", {})
    for key, item in value.items():
        known = [schema["properties"][key]] if key in schema.get("properties", {}) else []
        known += [one for pattern, one in patterns.items() if re.search(pattern, key)]
        yield bool(known) or schema.get("additionalProperties") is not False
        yield from (fits(item, one, root) for one in known)


RIGHT = {
    "config": [
        "{}",
        "transport: nats\nkv_backend: jetstream",
        "transport: {kind: nats, url: 'nats://h:1', user: a, password: b, tls: {ca: x}}",
        "transport: {kind: nats, url: [nats://h:1, nats://h:2]}",
        "transport: {kind: nats, role: runner, shards: 4, replicas: 3, lease_s: 5}",
        "journal: j.db\nacceptance: off\nepoch: '2026-01-01T00:00:00Z'",
        "acceptance: {past_s: off, future_s: 5}\nlate_policy_by_kind: {goal: drop}",
        "context: {access: {a-b: {read: ['*'], write: [score.home]}}}\nlimits: {streams: 5}",
        "crews:\n- {path: a}\n- {python: 'a.b:c', runtime: x.yaml, name: d}",
        "crews: [{path: a, runtime: {triggers: [x]}}]",
    ],
    "runtime": [
        "triggers: goal",
        "crew: a\ntriggers: [a, 'b*']\nneeds: [{type: crew, crew: x, offset: -1}]",
        "dependencies: [{type: event, kind: a}, {type: event, event: b, offset: 0}]",
        "wait_policy: timeout:200\ntiming: let:3\nretry: {attempts: 2}",
        "timing: {let: 2, on_miss: late}\nemits: {kind: a, ttl_ms: 5, payload: [1], context: {}}",
        "inputs: {a: '{{ event }}'}\noutputs: [1]\npatch: {x: 1}\nsystem_prompt: x",
    ],
}
WRONG = {
    "config": [
        "[]",
        "slice_ms: 0",
        "slice_ms: yes",
        "slicems: 5",
        "transport: natz",
        "transport: {url: 'nats://h'}",
        "transport: {kind: file}",
        "transport: {kind: nats, shards: 0}",
        "kv_backend: etcd",
        "late_policy_by_kind: {a-b: drop}",
        "kinds: [__x]",
        "crews: [{}]",
        "crews: [{path: a, python: 'a:b'}]",
        "crews: [{path: a, runtime: {trigger: [x]}}]",
    ],
    "runtime": [
        "triggers: [a b]",
        "needs: [{crew: x}]",
        "needs: [{type: event, kind: a, event: a}]",
        "needs: []\ndependencies: []",
        "wait_policy: some",
        "timing: let",
        "emits: {ttl_ms: 300001}",
    ],
}


@pytest.mark.parametrize("of", OF)
def test_a_schema_takes_what_is_right_and_refuses_what_is_wrong(
    of: Literal["config", "runtime"],
) -> None:
    schema = json_schema(of)
    for text in RIGHT[of]:
        assert fits(yaml.safe_load(text), schema, schema), text
    for text in WRONG[of]:
        assert not fits(yaml.safe_load(text), schema, schema), text


@pytest.mark.parametrize("of", OF)
def test_a_schema_is_draft_2020_12_whole_and_described(of: Literal["config", "runtime"]) -> None:
    schema = json_schema(of)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:live-crew:schema:{of}"
    assert json.loads(json.dumps(schema)) == schema
    model = LiveConfig if of == "config" else CrewRuntime
    assert set(schema["properties"]) >= set(model.model_fields)
    for name, field in schema["properties"].items():
        assert field["description"], name
    for node in walk(schema):
        if isinstance(node.get("$ref"), str):
            assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_another_file_has_no_schema() -> None:
    with pytest.raises(ValueError, match="use `config` or `runtime`"):
        json_schema("crew")  # type: ignore[arg-type]
