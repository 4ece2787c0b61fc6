"""JSON Schema of the configuration files, so that editors complete and check them.

In the first line of a file: `# yaml-language-server: $schema=live_crew_config.schema.json`
"""

from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema

from live_crew.config import CrewLine, CrewRuntime, LiveConfig

__all__ = ["json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLES = {"config": "live-crew configuration", "runtime": "live-crew runtime of one crew"}


def json_schema(of: Literal["config", "runtime"]) -> dict[str, Any]:
    """The schema, Draft 2020-12, of `live_crew_config.yaml` or of a `<crew>.runtime.yaml`."""
    if of not in _TITLES:
        raise ValueError(f"`{of}` is no file of live-crew; use `config` or `runtime`")
    schema = _of(LiveConfig) if of == "config" else _of(CrewRuntime)
    definitions = schema.pop("$defs", {})
    if of == "config":
        definitions.pop("CrewEntry", None)
        line = _of(CrewLine)
        definitions |= line.pop("$defs", {})
        runtime = definitions["CrewRuntime"]
        line["properties"]["runtime"] |= {
            "anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/CrewRuntime"}]
        }
        line["oneOf"] = [{"required": ["path"]}, {"required": ["python"]}]
        definitions["Crew"] = line
        schema["properties"]["crews"]["items"] = {"$ref": "#/$defs/Crew"}
        _allow_short_forms(schema["properties"], definitions)
        for name in ("Memory", "File", "Nats"):
            transport = definitions[f"{name}Transport"]
            transport["required"] = ["kind", *transport.get("required", [])]
    else:
        runtime = schema
    _loosen(runtime, definitions)
    schema["$defs"] = dict(sorted(definitions.items()))
    head = {"$schema": _DIALECT, "$id": f"urn:live-crew:schema:{of}", "title": _TITLES[of]}
    return {**head, **_tidy(schema), "title": _TITLES[of]}


class _Generate(GenerateJsonSchema):
    """Leaves out the titles that editors would show instead of descriptions."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def _of(model: type[LiveConfig | CrewRuntime | CrewLine]) -> dict[str, Any]:
    return model.model_json_schema(
        schema_generator=_Generate, ref_template="#/$defs/{model}", mode="validation"
    )


def _allow_short_forms(properties: dict[str, Any], definitions: dict[str, Any]) -> None:
    """What may be written shorter: a transport by its kind, a journal by its path."""
    transport = properties["transport"]
    variants = transport.pop("oneOf", transport.pop("anyOf", []))
    transport.pop("discriminator", None)
    transport["anyOf"] = [{"enum": ["memory", "nats"]}, *variants]
    urls = definitions["NatsTransport"]["properties"]["url"]
    many = {key: urls.pop(key) for key in ("type", "items")}
    urls["anyOf"] = [many["items"], {**many, "minItems": 1}]
    window = properties["acceptance"]
    window["anyOf"] = [{"enum": ["off", False]}, *window.pop("oneOf")[1:]]
    journal = properties["journal"]
    journal["anyOf"] = [{"type": "string", "minLength": 1}, {"$ref": journal.pop("$ref")}]


def _loosen(runtime: dict[str, Any], definitions: dict[str, Any]) -> None:
    """What files may say in two ways, and what they may leave out."""
    properties = runtime["properties"]
    runtime["required"] = [name for name in runtime.get("required", []) if name != "crew"]
    if not runtime["required"]:
        del runtime["required"]
    triggers = properties["triggers"]
    one = triggers["items"]
    many = {key: triggers.pop(key) for key in ("type", "items")}
    triggers["anyOf"] = [many, one]
    timing = properties["timing"]
    variants = timing.pop("oneOf", timing.pop("anyOf", []))
    timing["anyOf"] = [*variants, {"type": "string", "pattern": "^let:[0-9]+$"}]
    properties["dependencies"] = {**properties["needs"], "description": "the same as `needs`"}
    runtime["not"] = {"required": ["needs", "dependencies"]}
    need = definitions["EventNeed"]
    need["properties"]["kind"] = need["properties"]["event"]
    need["required"] = ["type"]
    need["oneOf"] = [{"required": ["event"]}, {"required": ["kind"]}]
    definitions["CrewNeed"]["required"] = ["type", "crew"]


def _tidy(node: Any) -> Any:
    """Drops what editors make nothing of: `null` for what may be left out, names of classes."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _tidy(value) for key, value in node.items() if key != "title" or value == {}}
    if out.get("default", ...) is None:
        del out["default"]
    some = [one for one in out.get("anyOf", ()) if one != {"type": "null"}]
    if len(some) == 1:
        del out["anyOf"]
        out |= some[0]
    if "patternProperties" in out:
        out["additionalProperties"] = False
    return out
