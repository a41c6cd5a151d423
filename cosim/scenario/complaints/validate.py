"""Pydantic's refusals as sentences with the file's line, the path and the nearest word."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from cosim.errors import ScenarioError
from cosim.scenario.complaints.expectations import accepted, accepted_by_any, expected, listed
from cosim.scenario.complaints.schema_paths import CoreSchema, Place, Schema, discriminator, has
from cosim.scenario.outside.from_outside import from_outside
from cosim.scenario.reading.document import Document, Loc
from cosim.scenario.reading.one_line import dotted, shorten, shown
from cosim.spelling import did_you_mean, nearest

Model = TypeVar("Model", bound=BaseModel)

MAX_COMPLAINTS = 5
# Of more errors than that, the first in the schema's order stand for all.
MAX_ERRORS = 300

_KNOWN_TYPES = frozenset(get_args(ErrorType))


@dataclass(frozen=True)
class _Complaint:
    """What is wrong at a path."""

    path: Loc
    text: str


def validate(document: Document, model_class: type[Model]) -> Model:
    """The model of a document; raises ScenarioError with a line for each of the first problems."""
    try:
        return model_class.model_validate(document.data)
    except ValidationError as refusal:
        errors: list[Any] = list(refusal.errors(include_url=False))
    beyond = max(len(errors) - MAX_ERRORS, 0)
    del errors[MAX_ERRORS:]
    core = CoreSchema(model_class)
    complaints = _complaints(core, [core.place(error, document.data) for error in errors])
    complaints.sort(key=lambda complaint: _order(document, complaint.path))
    lines = list(dict.fromkeys(_line(document, complaint) for complaint in complaints))
    if len(lines) > MAX_COMPLAINTS:
        lines[MAX_COMPLAINTS:] = [f"and {len(lines) - MAX_COMPLAINTS + beyond} more"]
    raise ScenarioError("\n".join(lines)) from None


def _order(document: Document, path: Loc) -> tuple[bool, int]:
    # What was typed last, on the command line, is the likeliest cause and comes first.
    line = document.line_of(path) if path else 0
    arguments = [override.argument for override in document.overrides]
    argument = document.override_of(path)
    return (True, line or 0) if argument is None else (False, arguments.index(argument))


def _line(document: Document, complaint: _Complaint) -> str:
    path = f"{dotted(complaint.path)}: " if complaint.path else ""
    return f"{document.where(complaint.path)}: {path}{complaint.text}"


def _complaints(core: CoreSchema, places: Sequence[Place]) -> list[_Complaint]:
    complaints: list[_Complaint] = []
    misspelt: set[Loc] = set()
    unions: dict[Loc, list[Place]] = {}
    for place in places:
        if place.union is not None:
            unions.setdefault(place.union, []).append(place)
    alone = [place for place in places if place.union is None]
    for path, members in unions.items():
        candidates = _likeliest_member(path, members)
        alone += candidates
        if not candidates:
            words = accepted_by_any(core, (place.schema for place in members))
            value = members[0].error["input"]
            near = _did_you_mean(value, _literals(core, (place.schema for place in members)))
            complaints.append(_Complaint(path, f"expected {words}, got {shown(value)}{near}"))
    alone = [place for place in alone if not _counts_only_good_items(place, places)]
    for place in alone:
        if place.error["type"] == "extra_forbidden":
            complaint, name = _unknown_key(core, place, alone)
            complaints.append(complaint)
            misspelt.add((*place.path[:-1], name or ""))
    # A required key that is there but misspelt is one mistake, and was just named.
    alone = [place for place in alone if place.path not in misspelt]
    return complaints + [_complaint(core, p) for p in alone if p.error["type"] != "extra_forbidden"]


def _counts_only_good_items(place: Place, places: Sequence[Place]) -> bool:
    """A list is called too short as well where an item in it is wrong: the item says enough."""
    depth = len(place.path)
    return place.error["type"] == "too_short" and any(
        len(other.path) > depth and other.path[:depth] == place.path for other in places
    )


def _likeliest_member(path: Loc, members: Sequence[Place]) -> list[Place]:
    """The errors of the union member that the value was probably meant to be, if there is one."""
    own_words = [place for place in members if _own_words(place.error) is not None]
    if own_words:
        return own_words[:1]
    by_label: dict[str, list[Place]] = {}
    for place in members:
        by_label.setdefault(place.label, []).append(place)
    entries = [group for group in by_label.values() if any(len(p.path) > len(path) for p in group)]
    return min(entries, key=len, default=[])


def _own_words(error: Mapping[str, Any]) -> str | None:
    """What a validator itself said, None where the refusal is pydantic's."""
    if error["type"] in ("value_error", "assertion_error"):
        cause = error.get("ctx", {}).get("error")
        return shorten(str(cause), 500) or "this value is not usable"
    return None if error["type"] in _KNOWN_TYPES else shorten(error["msg"], 500)


def _at_named_path(path: Loc, text: str, data: Any) -> _Complaint:
    """A validator of a whole section may name the key that it means: `devices.0.tasks: …`."""
    name, _, words = text.partition(": ")
    inner: list[str | int] = []
    for step in name.split("."):
        key = int(step) if isinstance(data, list) and step.isdecimal() else step
        if not words or not has(data, key):
            return _Complaint(path, text)
        inner.append(key)
        data = data[key]
    return _Complaint((*path, *inner), words)


def _did_you_mean(value: object, words: Iterable[str]) -> str:
    return did_you_mean(value, words) if isinstance(value, str) else ""


def _complaint(core: CoreSchema, place: Place) -> _Complaint:
    """One error other than an unknown key, in words."""
    error, path = place.error, place.path
    words = _own_words(error)
    if words is not None:
        return _at_named_path(path, words, error["input"])
    if error["type"] == "missing":
        return _missing(path[:-1], str(path[-1]), _purpose(core, place))
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _bad_tag(core, place)
    value = error["input"]
    options = [str(o) for o in core.options(place.schema)]
    if len(options) > 1:
        text = f"{shown(value)} is not one of {listed(options)}"
    else:
        text = f"expected {expected(core, place)}, got {shown(value)}"
    text = f"the key {text}" if place.is_key else text
    return _Complaint(path, text + _hint(core, place.schema, value))


def _unknown_key(
    core: CoreSchema, place: Place, places: Sequence[Place]
) -> tuple[_Complaint, str | None]:
    """The complaint about a key that the model lacks, and the name that was meant."""
    names, outer, key = core.names(place.parent), place.path[:-1], place.path[-1]
    missing = [p.path for p in places if p.error["type"] == "missing"]
    absent = [str(path[-1]) for path in missing if path[:-1] == outer]
    name = nearest(key, absent)
    elsewhere = None if name else _elsewhere(core, place.path)
    name = name or (None if elsewhere else nearest(key, names))
    guess = f"; did you mean '{name or elsewhere}'?" if name or elsewhere else ""
    choices = f" (expected one of: {listed(names)})" if names else ""
    return _Complaint(place.path, f"unknown key{guess}{choices}"), name


def _elsewhere(core: CoreSchema, path: Loc) -> str | None:
    """The only path that ends with the key of this one and lies no higher; None where there is
    none, or several, or another variant of the same mapping has the key."""
    here = tuple(0 if isinstance(step, int) else step for step in path)
    paths = set(core.paths_to(str(path[-1])))
    if len(paths) != 1 or here in paths:
        return None
    (only,) = paths
    return dotted(only) if len(only) >= len(path) else None


def _literals(core: CoreSchema, schemas: Iterable[Schema | None]) -> list[str]:
    """The texts that any of the schemas accepts literally."""
    return [o for schema in schemas for o in core.options(schema) if isinstance(o, str)]


def _hint(core: CoreSchema, schema: Schema | None, value: object) -> str:
    union = core.unwrap(schema)
    if union and union["type"] == "tagged-union" and isinstance(value, str):
        key, near = discriminator(union, {}), nearest(value, map(str, union["choices"]))
        return f"; did you mean {{{key}: {near}}}?" if key and near else ""
    braces = isinstance(value, dict) and bool(value) and all(v is None for v in value.values())
    if union and union["type"] == "str" and isinstance(value, dict) and braces:
        # Text in braces, unquoted, is a mapping of words to nothing.
        text = shorten('"{' + ", ".join(map(str, value)) + '}"')
        return f"; quote it: {text}, or '{text}' in a shell"
    return _did_you_mean(value, _literals(core, [schema]))


def _missing(path: Loc, key: str, purpose: str) -> _Complaint:
    return _Complaint(path, f"the key '{key}' is missing ({purpose})")


def _bad_tag(core: CoreSchema, place: Place) -> _Complaint:
    union, value = core.unwrap(place.schema), place.error["input"]
    if not union or union["type"] != "tagged-union":
        return _Complaint(place.path, f"{shown(value)} is not one of the known kinds")
    key, tags = discriminator(union, value), [str(tag) for tag in union["choices"]]
    if (field := from_outside(place.schema)) is not None:
        tags += field.names()
    if not key:
        return _Complaint(place.path, f"expected one of {listed(tags)}")
    if not has(value, key):
        near = nearest(key, map(str, value)) if isinstance(value, dict) else None
        hint = f"; found '{near}'" if near else _misplaced_tag(key, value, tags)
        return _missing(place.path, key, f"one of {listed(tags)}{hint}")
    text = f"{shown(value[key])} is not one of {listed(tags)}{_did_you_mean(value[key], tags)}"
    return _Complaint((*place.path, key), text)


def _misplaced_tag(key: str, value: object, tags: Sequence[str]) -> str:
    """A hint at the key that holds one of the words which another key is to hold."""
    if not isinstance(value, dict):
        return ""
    other = next((name for name, word in value.items() if word in tags), None)
    return "" if other is None else f"; write {key}: {value[other]} instead of '{other}'"


def _purpose(core: CoreSchema, place: Place) -> str:
    field = core.field(place.parent, place.path[-1]) or {}
    updates = field.get("metadata", {}).get("pydantic_js_updates", {})
    return shorten(updates.get("description") or accepted(core, place.schema), 200)
