"""From the location of a pydantic error to the real path, by walking the model's core schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaValidator

from cosim.scenario.outside.from_outside import from_outside
from cosim.scenario.reading.document import Loc

Schema = Mapping[str, Any]

# Keys that lie deeper are nobody's first thought.
_DEEPEST = 4
_WRAPPERS = {
    **dict.fromkeys(("default", "nullable", "model", "dataclass", "definitions"), "schema"),
    **dict.fromkeys(("function-after", "function-before", "function-wrap"), "schema"),
    "json-or-python": "python_schema",
    "lax-or-strict": "lax_schema",
}


@dataclass(frozen=True)
class Place:
    """A place is where an error is in a scenario, which pydantic says in words of its own.

    error: as pydantic tells it.
    path: the real path, keys and indices alone.
    schema: the core schema there; None where a validator has none.
    parent: the schema around it; None at the top, or where that has none.
    union: path of the outermost plain union on the way; None where there is none.
    label: pydantic's name of that union's member; empty without one.
    is_key: whether the error is about a key and not its value.
    """

    error: Mapping[str, Any]
    path: Loc
    schema: Schema | None
    parent: Schema | None
    union: Loc | None = None
    label: str = ""
    is_key: bool = False


class CoreSchema:
    """A model's core schema says at each step of a location which kind of step it is.

    Pydantic's locations hold names that no scenario contains: the tag of a discriminated union's
    member, the label of a plain union's.
    """

    def __init__(self, model_class: type[BaseModel]) -> None:
        top: Schema = TypeAdapter(model_class).core_schema
        self._top = top
        self._definitions = list(top.get("definitions", ()))
        self._by_ref = {schema["ref"]: schema for schema in self._definitions}

    def place(self, error: Mapping[str, Any], data: Any) -> Place:
        """Walk the error's location along the schema, and drop the steps that are no keys."""
        loc = error["loc"]
        path: list[str | int] = []
        schema: Schema | None = self._top
        parent: Schema | None = None
        union, label = None, ""
        for number, step in enumerate(loc):
            schema = self._from_outside(schema, data) or self.unwrap(schema)
            kind = schema["type"] if schema else None
            if schema and kind == "tagged-union":
                schema = {str(tag): item for tag, item in schema["choices"].items()}.get(str(step))
            elif schema and kind == "union":
                if union is None:
                    union, label = tuple(path), str(step)
                schema = self._member(schema, str(step))
            elif step == "[key]" and parent and parent["type"] == "dict" and number == len(loc) - 1:
                keys = parent.get("keys_schema")
                return Place(error, tuple(path), keys, parent, union, label, is_key=True)
            elif schema or has(data, step) or number == len(loc) - 1:
                # Without a schema (a validator that validates by itself) the data has to tell.
                path.append(step)
                data = data[step] if has(data, step) else None
                parent, schema = schema, self._child(schema, step)
        return Place(error, tuple(path), schema, parent, union, label)

    def _from_outside(self, schema: Schema | None, data: Any) -> Schema | None:
        """The schema of what an installed package brings, where a value names that: its keys
        follow in a location at once, without a tag before them."""
        field = from_outside(schema)
        section = field.section(data) if field is not None else None
        if section is None:
            return None
        outside = CoreSchema(section)
        self._by_ref |= outside._by_ref
        return self.unwrap(outside._top)

    def options(self, schema: Schema | None) -> list[object]:
        """The values of a literal or an enumeration."""
        schema = self.unwrap(schema)
        if schema and schema["type"] == "literal":
            values = schema["expected"]
        else:
            values = schema["members"] if schema and schema["type"] == "enum" else []
        return [getattr(value, "value", value) for value in values]

    def unwrap(self, schema: Schema | None) -> Schema | None:
        """The schema inside defaults, validators and references; None where there is none."""
        while schema is not None:
            kind = schema["type"]
            if kind == "definition-ref":
                schema = self._by_ref.get(schema["schema_ref"])
            elif kind in _WRAPPERS:
                schema = schema[_WRAPPERS[kind]]
            elif kind == "chain":
                schema = schema["steps"][0]
            else:
                return schema
        return None

    def is_nullable(self, schema: Schema) -> bool:
        """Whether null is accepted besides."""
        while schema["type"] in _WRAPPERS and schema["type"] not in ("nullable", "model"):
            schema = schema[_WRAPPERS[schema["type"]]]
        return bool(schema["type"] == "nullable")

    def names(self, schema: Schema | None) -> list[str]:
        """The keys that a document may hold here; an alias replaces its field's name."""
        aliases = (
            (name, field.get("validation_alias")) for name, field in fields_of(schema).items()
        )
        return [alias if isinstance(alias, str) else name for name, alias in aliases]

    def paths_to(self, key: str) -> Iterator[Loc]:
        """The paths of every key of this name; of a list's items those of the first."""
        yield from self._paths_to(key, self._top, ())

    def _paths_to(self, key: str, schema: Schema | None, at: Loc) -> Iterator[Loc]:
        schema = self.unwrap(schema)
        if schema is None or len(at) > _DEEPEST:
            return
        choices = schema.get("choices", ())
        for choice in choices.values() if isinstance(choices, dict) else choices:
            yield from self._paths_to(key, choice[0] if isinstance(choice, tuple) else choice, at)
        for name in self.names(schema):
            if name == key:
                yield (*at, name)
            yield from self._paths_to(key, self._child(schema, name), (*at, name))
        if "items_schema" in schema:
            yield from self._paths_to(key, self._child(schema, 0), (*at, 0))

    def field(self, schema: Schema | None, step: object) -> Schema | None:
        """The field that a key of the document fills."""
        fields = fields_of(schema)
        by_alias = dict(zip(self.names(schema), fields.values(), strict=True))
        return fields.get(str(step)) or by_alias.get(str(step))

    def _child(self, schema: Schema | None, step: str | int) -> Schema | None:
        if schema is None:
            return None
        if "fields" in schema:
            field = self.field(schema, step)
            return field["schema"] if field else None
        items = schema.get("items_schema")
        if isinstance(items, list) and isinstance(step, int):
            variadic = schema.get("variadic_item_index")
            last = len(items) - 1 if variadic is None else variadic
            return items[min(step, last)] if items else None
        return schema.get("values_schema") if schema["type"] == "dict" else items

    def _member(self, union: Schema, label: str) -> Schema | None:
        """The member of a plain union that pydantic labels so in a location."""
        for choice in union["choices"]:
            schema, name = choice if isinstance(choice, tuple) else (choice, None)
            if name is None:
                whole: Any = {"type": "definitions", "schema": schema}
                name = SchemaValidator({**whole, "definitions": self._definitions}).title
            if name == label:
                return dict(schema)
        return None


def fields_of(schema: Schema | None) -> dict[str, Schema]:
    """The fields of a model, a typed mapping or a data class by name."""
    fields = (schema or {}).get("fields", {})
    return fields if isinstance(fields, dict) else {field["name"]: field for field in fields}


def discriminator(union: Schema, data: object) -> str | None:
    """The key that tells a union's members apart; None where a function does."""
    rule = union["discriminator"]
    if isinstance(rule, list):
        keys = [path[0] for path in rule if len(path) == 1 and isinstance(path[0], str)]
        return next((key for key in keys if has(data, key)), keys[0] if keys else None)
    return rule if isinstance(rule, str) else None


def has(data: object, step: object) -> bool:
    """Whether a mapping has this key or a list this index."""
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
