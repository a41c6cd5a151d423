"""The scenario's JSON schema, walked: what a value may be, and what lies one level below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from cosim.scenario.model import Scenario

Schema = Mapping[str, Any]

_GATHERED = ("$ref", "anyOf", "oneOf", "allOf")


@lru_cache(maxsize=1)
def scenario_schema() -> Schema:
    """The JSON schema that `cosim schema` prints."""
    return Scenario.model_json_schema()


def members(schema: Schema) -> Iterator[Schema]:
    """What a value may be: every schema that is no union of others, behind references too."""
    if "$ref" in schema:
        yield from members(scenario_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    for kind in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(kind, ()):
            yield from members(member)
    if not any(kind in schema for kind in _GATHERED):
        yield schema


def inside(schema: Schema, step: str | int) -> Iterator[Schema]:
    """The schemas of the values at a key or an index, one level down."""
    for member in members(schema):
        other = member.get("items" if isinstance(step, int) else "additionalProperties")
        inner = member.get("properties", {}).get(step, other)
        if isinstance(inner, Mapping):
            yield inner


def literals(schema: Schema) -> list[Any]:
    """The values of an enumeration or a constant."""
    return list(schema.get("enum", [schema["const"]] if "const" in schema else []))


def word_key_of(schema: Schema) -> str | None:
    """The key that a bare word stands for: `name` of a method, `model` of a fading; None where a
    word is no mapping."""
    variants = list(members(schema))
    words = {word for item in variants if item.get("type") == "string" for word in literals(item)}
    for item in variants:
        for key, inner in item.get("properties", {}).items():
            values = literals(inner)
            if values and words.issuperset(values):
                return str(key)
    return None
