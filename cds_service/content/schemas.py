"""JSON Schemas of the content files, made from the layouts, so that an editor completes and checks what is typed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from cds_service.content.about import AboutFile
from cds_service.content.clients import ClientFile
from cds_service.content.codes import ValueSetFile
from cds_service.content.orders import OrderFile
from cds_service.content.plans import IDENTITY
from cds_service.content.protocols import ProtocolFile
from cds_service.content.reading import ReasonsFile, SentencesFile, SystemsFile
from cds_service.content.rules import RulesFile
from cds_service.content.scales import ScaleFile

LAYOUTS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "protocol": ("protocols/*.toml", ProtocolFile),
    "scale": ("scales/*.toml", ScaleFile),
    "order": ("orders/*.toml", OrderFile),
    "codes": ("codes/[!_]*.toml", ValueSetFile),
    "code-systems": ("codes/_systems.toml", SystemsFile),
    "client": ("clients/*.toml", ClientFile),
    "rules": ("rules/*.toml", RulesFile),
    "about": ("about.toml", AboutFile),
    "sentences": ("text/sentences.toml", SentencesFile),
    "override-reasons": ("text/override-reasons.toml", ReasonsFile),
}
"""The name of each schema, the files below `cards/` that it describes, and their layout."""
BASED_ON = {"type": "string", "description": "Id of the protocol that this file changes; that one stands alone"}
GRADING = "Changes to the grading scale, at the same keys as in its file"
ORDERS = "Changes to an order, or a new order, by its id"
TEXT = "Sentences in place of those that ship, by the name that advice calls them"

Json = dict[str, Any]


def schemas() -> dict[str, Json]:
    """Each schema by its name (JSON Schema draft 2020-12)."""
    made = {name: _schema(layout) for name, (_, layout) in LAYOUTS.items()}
    made["protocol"] = _either(made["protocol"], made["scale"], made["order"])
    return {name: {"$schema": GenerateJsonSchema.schema_dialect, **schema} for name, schema in made.items()}


def _schema(layout: type[BaseModel]) -> Json:
    schema = TypeAdapter(layout).json_schema(schema_generator=_Untitled)
    return {"$defs": {}, **schema}


class _Untitled(GenerateJsonSchema):
    """Without a title for each key, which would only repeat it."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _either(protocol: Json, scale: Json, order: Json) -> Json:
    """A whole protocol, or one that is based on another and gives only what differs."""
    definitions: Json = {"Protocol": _without_definitions(protocol)}
    for part in (protocol, scale, order):
        definitions |= part["$defs"]
    changed = _changed(protocol, definitions)
    own = {name: protocol["properties"][name] for name in IDENTITY}
    changed["title"] = "Changes to a protocol"
    changed["required"] = ["based_on", *IDENTITY]
    changed["properties"] |= own | {
        "based_on": BASED_ON,
        "grading": {**_without(_changed(scale, definitions), IDENTITY), "description": GRADING},
        "order": {
            "description": ORDERS,
            "type": "object",
            "additionalProperties": _without(_changed(order, definitions), ("id",)),
        },
        "text": {"description": TEXT, "type": "object", "additionalProperties": {"type": "string"}},
    }
    definitions["ChangedProtocol"] = changed
    whole, site = {"$ref": "#/$defs/Protocol"}, {"$ref": "#/$defs/ChangedProtocol"}
    return {
        "title": "Protocol",
        "$defs": dict(sorted(definitions.items())),
        "anyOf": [whole, site],  # editors complete by this one, and check by the next, which says what is wrong
        "if": {"required": ["based_on"]},
        "then": site,
        "else": whole,
    }


def _changed(schema: Json, definitions: Json) -> Json:
    """The layout of changes to a table: every key may be absent, but figures, codes and lists are given whole."""
    kept = {key: value for key, value in schema.items() if key not in ("required", "$defs")}
    if "properties" in kept:
        kept["properties"] = {name: _change(value, definitions) for name, value in kept["properties"].items()}
    return kept


def _change(value: Json, definitions: Json) -> Json:
    if isinstance(value.get("additionalProperties"), dict):
        return {**value, "additionalProperties": _change(value["additionalProperties"], definitions)}
    if "anyOf" in value:
        return {**value, "anyOf": [_change(item, definitions) for item in value["anyOf"]]}
    name = str(value.get("$ref", "")).rpartition("/")[2]
    if not name or {"unit", "system"} & set(definitions[name]["properties"]):
        return value
    definitions[f"Changed{name}"] = _changed(definitions[name], definitions)
    return {**value, "$ref": f"#/$defs/Changed{name}"}


def _without(schema: Json, names: tuple[str, ...]) -> Json:
    return {**schema, "properties": {key: value for key, value in schema["properties"].items() if key not in names}}


def _without_definitions(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != "$defs"}
