"""What a schema accepts, in plain words."""

from collections.abc import Iterable

from cosim.scenario.complaints.schema_paths import CoreSchema, Place, Schema, discriminator
from cosim.scenario.reading.one_line import limit_text, shorten, shown

MAX_CHOICES = 20

_KIND_WORDS = {
    "int": "an integer",
    "float": "a number",
    "decimal": "a number",
    "str": "text",
    "bool": "true or false",
    "none": "null",
    "dict": "a mapping",
    "any": "a value",
    "date": "a date",
    "time": "a time",
    "datetime": "a date and time",
    "url": "an address",
    **dict.fromkeys(("list", "tuple", "set", "frozenset"), "a list"),
}
_BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "multiple_of": "a multiple of"}


def expected(core: CoreSchema, place: Place) -> str:
    """What is accepted at a place, with the bounds that only the error there knows."""
    words = accepted(core, place.schema)
    if place.error["type"] == "finite_number":
        return words.replace("a number", "a finite number")
    # A bound behind a validator is no part of the schema's own limits, only of the error.
    for bound, sign in _BOUNDS.items():
        limit = place.error.get("ctx", {}).get(bound)
        if limit is not None and f"{sign} {limit_text(limit)}" not in words:
            words += f" {sign} {limit_text(limit)}"
    return words


def accepted_by_any(core: CoreSchema, schemas: Iterable[Schema | None], depth: int = 0) -> str:
    """`an integer ≥ 1 or 'auto'`, each kind once."""
    phrases = dict.fromkeys(accepted(core, schema, depth) for schema in schemas)
    return " or ".join([words for words in phrases if words != "another value"] or phrases)


def accepted(core: CoreSchema, schema: Schema | None, depth: int = 0) -> str:
    """What a schema accepts, in plain words."""
    nullable = schema is not None and core.is_nullable(schema)
    schema = core.unwrap(schema)
    if schema is None or depth > 3:
        return "another value"
    kind = schema["type"]
    if kind in ("literal", "enum"):
        options = core.options(schema)
        words = shown(options[0]) if len(options) == 1 else f"one of {listed(options)}"
    elif kind == "union":
        members = [item[0] if isinstance(item, tuple) else item for item in schema["choices"]]
        words = accepted_by_any(core, members, depth + 1)
    elif kind == "tagged-union":
        key, tags = discriminator(schema, {}), listed(schema["choices"])
        words = f"a mapping with the key '{key}' ({tags})" if key else f"one of {tags}"
    elif kind in ("model-fields", "typed-dict", "dataclass-args"):
        words = f"a mapping with the keys {listed(core.names(schema))}"
    else:
        words = f"{_KIND_WORDS.get(kind, 'another value')}{_limits(core, schema, depth)}"
    return f"{words} or null" if nullable else words


def _limits(core: CoreSchema, schema: Schema, depth: int) -> str:
    bounds = [f"{sign} {limit_text(schema[b])}" for b, sign in _BOUNDS.items() if b in schema]
    words = " " + " and ".join(bounds) if bounds else ""
    if "pattern" in schema:
        words += f" that matches {shorten(str(schema['pattern']))}"
    few, many = schema.get("min_length"), schema.get("max_length")
    items = schema.get("items_schema")
    if isinstance(items, list):
        if schema.get("variadic_item_index") is None:
            few = many = len(items)
        items = items[0] if len(items) == 1 else None
    unit = "character(s)" if schema["type"] == "str" else "item(s)"
    if few is not None and few == many:
        words += f" of {few} {unit}"
    else:
        words += f" of at least {few} {unit}" if few is not None else ""
        words += f" of at most {many} {unit}" if many is not None else ""
    each = accepted(core, items, depth + 1) if items else ""
    return f"{words}, each {each}" if each and each != "a value" else words


def listed(words: Iterable[object]) -> str:
    """The first of the words, with commas."""
    texts = [str(word) for word in words]
    return ", ".join(texts[:MAX_CHOICES]) + (", …" if len(texts) > MAX_CHOICES else "")
