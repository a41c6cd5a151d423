"""Pydantic's refusals as sentences with the file's line, the path and the nearest word.

Pydantic's error locations hold names that no scenario contains: the tag of a discriminated union's
member, the label of a plain union's. The core schema of the model says at each step which kind of
step it is, so the walk along it gives both the real path and what was expected there.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator
from pydantic_core.core_schema import ErrorType

from cosim.errors import ScenarioError
from cosim.scenario.document import Document, Loc, dotted, shorten, shown

Model = TypeVar("Model", bound=BaseModel)
Schema = Mapping[str, Any]

MAX_COMPLAINTS = 5
MAX_CHOICES = 20

_KNOWN_TYPES = frozenset(get_args(ErrorType))
_WRAPPERS = {
    **dict.fromkeys(("default", "nullable", "model", "dataclass", "definitions"), "schema"),
    **dict.fromkeys(("function-after", "function-before", "function-wrap"), "schema"),
    "json-or-python": "python_schema",
    "lax-or-strict": "lax_schema",
}
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


@dataclass(frozen=True)
class _Place:
    """Where an error is: the real path, the schemas there and around, the union on the way."""

    error: Mapping[str, Any]
    path: Loc
    schema: Schema | None
    parent: Schema | None
    union: Loc | None = None
    label: str = ""
    is_key: bool = False


@dataclass(frozen=True)
class _Complaint:
    at: Loc
    path: Loc
    text: str


def validate(document: Document, model_class: type[Model]) -> Model:
    """The model of a document; raises ScenarioError with a line for each of the first problems."""
    try:
        return model_class.model_validate(document.data)
    except ValidationError as refusal:
        errors: list[Any] = list(refusal.errors(include_url=False))
    schemas = _Schemas(TypeAdapter(model_class).core_schema)
    complaints = _complaints(schemas, [schemas.place(error, document.data) for error in errors])
    complaints.sort(key=lambda one: _order(document, one.at))
    lines = list(dict.fromkeys(_line(document, one) for one in complaints))
    if len(lines) > MAX_COMPLAINTS:
        lines[MAX_COMPLAINTS:] = [f"and {len(lines) - MAX_COMPLAINTS} more"]
    raise ScenarioError("\n".join(lines)) from None


def nearest(word: object, words: Iterable[str]) -> str | None:
    """The word most like `word` whatever its case, None if none is close."""
    lower = {one.lower(): one for one in reversed(list(words))}
    found = difflib.get_close_matches(str(word)[:100].lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def _order(document: Document, at: Loc) -> tuple[bool, int]:
    # What was typed last, on the command line, is the likeliest cause and comes first.
    line = document.line_of(at) if at else 0
    arguments = [override.argument for override in document.overrides]
    argument = document.override_of(at)
    return (True, line or 0) if argument is None else (False, arguments.index(argument))


def _line(document: Document, one: _Complaint) -> str:
    path = f"{dotted(one.path)}: " if one.path else ""
    return f"{document.where(one.at)}: {path}{one.text}"


def _complaints(schemas: "_Schemas", places: Sequence[_Place]) -> list[_Complaint]:
    found: list[_Complaint] = []
    misspelt: set[Loc] = set()
    unions: dict[Loc, list[_Place]] = {}
    for place in places:
        if place.union is not None:
            unions.setdefault(place.union, []).append(place)
    alone = [place for place in places if place.union is None]
    for path, members in unions.items():
        chosen = _likeliest_member(path, members)
        alone += chosen
        if not chosen:
            words = schemas.words_of_all(place.schema for place in members)
            got = members[0].error["input"]
            near = _did_you_mean(got, schemas.literals(place.schema for place in members))
            found.append(_Complaint(path, path, f"expected {words}, got {shown(got)}{near}"))
    for place in alone:
        if place.error["type"] == "extra_forbidden":
            complaint, meant = schemas.unknown_key(place, alone)
            found.append(complaint)
            misspelt.add((*place.path[:-1], meant or ""))
    # A required key that is there but misspelt is one mistake, and was just named.
    alone = [place for place in alone if place.path not in misspelt]
    return found + [schemas.complaint(p) for p in alone if p.error["type"] != "extra_forbidden"]


def _likeliest_member(path: Loc, members: Sequence[_Place]) -> list[_Place]:
    """The errors of the union member that the value was probably meant to be, if there is one."""
    own_words = [place for place in members if _own_words(place.error) is not None]
    if own_words:
        return own_words[:1]
    by_label: dict[str, list[_Place]] = {}
    for place in members:
        by_label.setdefault(place.label, []).append(place)
    entered = [them for them in by_label.values() if any(len(p.path) > len(path) for p in them)]
    return min(entered, key=len, default=[])


def _own_words(error: Mapping[str, Any]) -> str | None:
    """What a validator itself said, None where the refusal is pydantic's."""
    if error["type"] in ("value_error", "assertion_error"):
        raised = error.get("ctx", {}).get("error")
        return shorten(str(raised), 500) or "this value is not usable"
    return None if error["type"] in _KNOWN_TYPES else shorten(error["msg"], 500)


def _did_you_mean(got: object, words: Iterable[str]) -> str:
    near = nearest(got, words) if isinstance(got, str) else None
    return f"; did you mean '{near}'?" if near is not None else ""


def _listed(words: Iterable[object]) -> str:
    every = [str(word) for word in words]
    return ", ".join(every[:MAX_CHOICES]) + (", …" if len(every) > MAX_CHOICES else "")


def _number(bound: Any) -> str:
    whole = isinstance(bound, float) and bound.is_integer() and abs(bound) < 1e6
    return str(int(bound) if whole else bound)


class _Schemas:
    """A model's core schema and what it says to people."""

    def __init__(self, top: Schema) -> None:
        self._top = top
        self._definitions = list(top.get("definitions", ()))
        self._by_ref = {schema["ref"]: schema for schema in self._definitions}

    def place(self, error: Mapping[str, Any], data: Any) -> _Place:
        """Walk the error's location along the schema, and drop the steps that are no keys."""
        loc = error["loc"]
        path: list[str | int] = []
        schema: Schema | None = self._top
        parent: Schema | None = None
        union, label = None, ""
        for number, step in enumerate(loc):
            schema = self._unwrap(schema)
            kind = schema["type"] if schema else None
            if schema and kind == "tagged-union":
                schema = {str(tag): one for tag, one in schema["choices"].items()}.get(str(step))
            elif schema and kind == "union":
                if union is None:
                    union, label = tuple(path), str(step)
                schema = self._member(schema, str(step))
            elif step == "[key]" and parent and parent["type"] == "dict" and number == len(loc) - 1:
                keys = parent.get("keys_schema")
                return _Place(error, tuple(path), keys, parent, union, label, is_key=True)
            elif schema or _has(data, step) or number == len(loc) - 1:
                # Without a schema (a validator that validates by itself) the data has to tell.
                path.append(step)
                data = data[step] if _has(data, step) else None
                parent, schema = schema, self._child(schema, step)
        return _Place(error, tuple(path), schema, parent, union, label)

    def complaint(self, place: _Place) -> _Complaint:
        """One error other than an unknown key, in words."""
        error, path = place.error, place.path
        own = _own_words(error)
        if own is not None:
            return _Complaint(path, path, own)
        if error["type"] == "missing":
            return self._missing(path[:-1], str(path[-1]), self._purpose(place))
        if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
            return self._bad_tag(place)
        got = error["input"]
        options = [str(o) for o in self.options(place.schema)]
        if len(options) > 1:
            text = f"{shown(got)} is not one of {_listed(options)}"
        else:
            text = f"expected {self._expected(place)}, got {shown(got)}"
        text = f"the key {text}" if place.is_key else text
        return _Complaint(path, path, text + self._hint(place.schema, got))

    def unknown_key(self, place: _Place, places: Sequence[_Place]) -> tuple[_Complaint, str | None]:
        """The complaint about a key that the model lacks, and the name that was meant."""
        names, outer, key = self._names(place.parent), place.path[:-1], place.path[-1]
        missing = [p.path for p in places if p.error["type"] == "missing"]
        absent = [str(path[-1]) for path in missing if path[:-1] == outer]
        meant = nearest(key, absent) or nearest(key, names)
        guess = f"; did you mean '{meant}'?" if meant else ""
        choices = f" (expected one of: {_listed(names)})" if names else ""
        return _Complaint(place.path, place.path, f"unknown key{guess}{choices}"), meant

    def literals(self, schemas: Iterable[Schema | None]) -> list[str]:
        """The texts that any of the schemas accepts literally."""
        return [o for schema in schemas for o in self.options(schema) if isinstance(o, str)]

    def options(self, schema: Schema | None) -> list[object]:
        """The values of a literal or an enumeration."""
        schema = self._unwrap(schema)
        if schema and schema["type"] == "literal":
            values = schema["expected"]
        else:
            values = schema["members"] if schema and schema["type"] == "enum" else []
        return [getattr(value, "value", value) for value in values]

    def words_of_all(self, schemas: Iterable[Schema | None], depth: int = 0) -> str:
        """`an integer ≥ 1 or 'auto'`, each kind once."""
        every = dict.fromkeys(self.words(schema, depth) for schema in schemas)
        return " or ".join([one for one in every if one != "another value"] or every)

    def words(self, schema: Schema | None, depth: int = 0) -> str:
        """What a schema accepts, in plain words."""
        nullable = schema is not None and self._is_nullable(schema)
        schema = self._unwrap(schema)
        if schema is None or depth > 3:
            return "another value"
        kind = schema["type"]
        if kind in ("literal", "enum"):
            options = self.options(schema)
            words = shown(options[0]) if len(options) == 1 else f"one of {_listed(options)}"
        elif kind == "union":
            members = [one[0] if isinstance(one, tuple) else one for one in schema["choices"]]
            words = self.words_of_all(members, depth + 1)
        elif kind == "tagged-union":
            key, tags = _discriminator(schema, {}), _listed(schema["choices"])
            words = f"a mapping with the key '{key}' ({tags})" if key else f"one of {tags}"
        elif kind in ("model-fields", "typed-dict", "dataclass-args"):
            words = f"a mapping with the keys {_listed(self._names(schema))}"
        else:
            words = f"{_KIND_WORDS.get(kind, 'another value')}{self._limits(schema, depth)}"
        return f"{words} or null" if nullable else words

    def _limits(self, schema: Schema, depth: int) -> str:
        bounds = [f"{sign} {_number(schema[b])}" for b, sign in _BOUNDS.items() if b in schema]
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
        each = self.words(items, depth + 1) if items else ""
        return f"{words}, each {each}" if each and each != "a value" else words

    def _expected(self, place: _Place) -> str:
        words = self.words(place.schema)
        if place.error["type"] == "finite_number":
            return words.replace("a number", "a finite number")
        # A bound behind a validator is no part of the schema's own limits, only of the error.
        for bound, sign in _BOUNDS.items():
            limit = place.error.get("ctx", {}).get(bound)
            if limit is not None and f"{sign} {_number(limit)}" not in words:
                words += f" {sign} {_number(limit)}"
        return words

    def _hint(self, schema: Schema | None, got: object) -> str:
        union = self._unwrap(schema)
        if union and union["type"] == "tagged-union" and isinstance(got, str):
            key, near = _discriminator(union, {}), nearest(got, map(str, union["choices"]))
            return f"; did you mean {{{key}: {near}}}?" if key and near else ""
        return _did_you_mean(got, self.literals([schema]))

    def _missing(self, path: Loc, key: str, purpose: str) -> _Complaint:
        return _Complaint(path, path, f"the key '{key}' is missing ({purpose})")

    def _bad_tag(self, place: _Place) -> _Complaint:
        union, got = self._unwrap(place.schema), place.error["input"]
        if not union or union["type"] != "tagged-union":
            return _Complaint(place.path, place.path, f"{shown(got)} is not one of the known kinds")
        key, tags = _discriminator(union, got), [str(tag) for tag in union["choices"]]
        if not key:
            return _Complaint(place.path, place.path, f"expected one of {_listed(tags)}")
        if not _has(got, key):
            near = nearest(key, map(str, got)) if isinstance(got, dict) else None
            found = f"; found '{near}'" if near else ""
            return self._missing(place.path, key, f"one of {_listed(tags)}{found}")
        text = f"{shown(got[key])} is not one of {_listed(tags)}{_did_you_mean(got[key], tags)}"
        return _Complaint((*place.path, key), (*place.path, key), text)

    def _purpose(self, place: _Place) -> str:
        field = self._field(place.parent, place.path[-1]) or {}
        updates = field.get("metadata", {}).get("pydantic_js_updates", {})
        return shorten(updates.get("description") or self.words(place.schema), 200)

    def _unwrap(self, schema: Schema | None) -> Schema | None:
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

    def _is_nullable(self, schema: Schema) -> bool:
        while schema["type"] in _WRAPPERS and schema["type"] not in ("nullable", "model"):
            schema = schema[_WRAPPERS[schema["type"]]]
        return bool(schema["type"] == "nullable")

    def _names(self, schema: Schema | None) -> list[str]:
        """The keys that a document may hold here; an alias replaces its field's name."""
        aliases = ((name, field.get("validation_alias")) for name, field in _fields(schema).items())
        return [alias if isinstance(alias, str) else name for name, alias in aliases]

    def _field(self, schema: Schema | None, step: object) -> Schema | None:
        fields = _fields(schema)
        by_alias = dict(zip(self._names(schema), fields.values(), strict=True))
        return fields.get(str(step)) or by_alias.get(str(step))

    def _child(self, schema: Schema | None, step: str | int) -> Schema | None:
        if schema is None:
            return None
        if "fields" in schema:
            found = self._field(schema, step)
            return found["schema"] if found else None
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


def _fields(schema: Schema | None) -> dict[str, Schema]:
    fields = (schema or {}).get("fields", {})
    return fields if isinstance(fields, dict) else {field["name"]: field for field in fields}


def _discriminator(union: Schema, data: object) -> str | None:
    """The key that tells a union's members apart; None where a function does."""
    found = union["discriminator"]
    if isinstance(found, list):
        keys = [path[0] for path in found if len(path) == 1 and isinstance(path[0], str)]
        return next((key for key in keys if _has(data, key)), keys[0] if keys else None)
    return found if isinstance(found, str) else None


def _has(data: object, step: object) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
