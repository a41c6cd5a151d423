"""A JSON schema's types, bounds and defaults in words, and the unit that a key's name ends with.

Patterns are left out: what a text must be like, a description says in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cosim.scenario.json_schema import Schema, literals, members
from cosim.scenario.reading.one_line import limit_text

# By the ends of names, the longer ones first.
_UNITS = {
    "_flop_s": "FLOP/s",
    "_m_s": "m/s",
    "_bits": "bit",
    "_dbm": "dBm",
    "_deg": "°",
    "_db": "dB",
    "_hz": "Hz",
    "_s": "s",
    "_m": "m",
    "_w": "W",
    "_j": "J",
    "flop": "FLOP",
}
_KINDS = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
}
_COUNTED = ("integer", "mapping", "number", "text", "value")
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def unit(name: str) -> str:
    """The unit that a key's name ends with; empty where it ends with none."""
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def kind(member: Schema) -> str:
    """What a member of a union takes: a number, text, a list of integers, a mapping."""
    if member.get("type") == "array":
        if "prefixItems" in member:
            return f"[{', '.join(map(_any_kind, member['prefixItems']))}]"
        each = _any_kind(member.get("items", {}))
        return f"list of {each}s" if each in _COUNTED else f"list of {each}"
    if member.get("type") == "object":
        names = literals(member.get("propertyNames", {}))
        inner = member.get("additionalProperties")
        if not isinstance(inner, dict):
            return "mapping"
        return f"mapping of {', '.join(names) or 'names'} to {_any_kind(inner)}"
    return _KINDS.get(member.get("type", ""), "value")


def bounds(member: Schema) -> Iterator[str]:
    """The limits of a member's numbers, texts and items, and of those inside a list."""
    limits = [f"{sign} {limit_text(member[b])}" for b, sign in _BOUNDS.items() if b in member]
    if limits:
        yield ", ".join(limits)
    if "maxLength" in member:
        yield f"at most {member['maxLength']} characters"
    if member.get("minItems") == 1 and "prefixItems" not in member:
        yield "at least one"
    for inner in (*member.get("prefixItems", ()), member.get("items"), _values(member)):
        if isinstance(inner, dict) and "properties" not in inner:
            for choice in members(inner):
                if "properties" not in choice:
                    yield from bounds(choice)


def written(value: Any) -> str:
    """A value as YAML writes it."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, float):
        return limit_text(value)
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)


def _values(member: Schema) -> Any:
    return member.get("additionalProperties")


def _any_kind(schema: Schema) -> str:
    choices = list(members(schema))
    words = ", ".join(str(word) for member in choices for word in literals(member))
    kinds = [kind(member) for member in choices if not literals(member)]
    return " or ".join(dict.fromkeys([words, *kinds] if words else kinds))
