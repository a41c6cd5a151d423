"""Every key that a scenario may hold, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cosim.scenario.model import Scenario
from cosim.spelling import nearest

Schema = Mapping[str, Any]

MAX_DEPTH = 4
# Of the many names of keys one is near to most words.
_CUTOFF = 0.76
_GATHERED = ("$ref", "anyOf", "oneOf", "allOf")


def key_paths() -> list[str]:
    """Dotted paths of all keys, outer ones first; of a list's items those of the first."""
    return list(_by_path())


def meant_path(written: str, *, exactly: bool = False) -> str | None:
    """The path of the key that was meant: by its path or its own name, or probably by nearly so.

    None for a key whose value is always a list or a mapping, which no word of a command line is.
    """
    wanted, known = written.replace("-", "_").lower(), _by_path()
    by_name: dict[str, str] = {}
    for path in known:
        by_name.setdefault(path.rpartition(".")[2], path)
    named = wanted if wanted in known else by_name.get(wanted)
    if named is not None or exactly:
        return named if named is not None and known[named] else None
    names = [name for name, path in by_name.items() if known[path]]
    near = nearest(wanted, names, cutoff=_CUTOFF)
    if near is not None:
        return by_name[near]
    return nearest(wanted, [path for path in known if known[path]], cutoff=_CUTOFF)


def word_key(steps: Sequence[str | int]) -> str | None:
    """The key that a bare word at this path stands for: `name` at `method`, `model` at
    `radio.fading`; None where a word is no mapping."""
    at = [_schema()]
    for step in steps:
        at = [inner for member in at for inner in _inside(member, step)]
    gathered = [member for schema in at for member in _members(schema)]
    words = {word for one in gathered if one.get("type") == "string" for word in _literals(one)}
    for member in gathered:
        for key, inner in member.get("properties", {}).items():
            literals = _literals(inner)
            if literals and words.issuperset(literals):
                return str(key)
    return None


@lru_cache(maxsize=1)
def _schema() -> Schema:
    return Scenario.model_json_schema()


@lru_cache(maxsize=1)
def _by_path() -> dict[str, bool]:
    """Whether a word can be the value, by path, outer paths first."""
    found: dict[str, bool] = {}
    for path, takes_word in _paths(_schema(), ()):
        found[path] = takes_word or found.get(path, False)
    return dict(sorted(found.items(), key=lambda item: item[0].count(".")))


def _paths(schema: Schema, at: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    if len(at) > MAX_DEPTH:
        return
    for member in _members(schema):
        for key, inner in member.get("properties", {}).items():
            yield ".".join((*at, key)), any(map(_takes_word, _members(inner)))
            yield from _paths(inner, (*at, key))
        if at:
            for item in _inside(member, 0):
                yield from _paths(item, (*at, "0"))


def _members(schema: Schema) -> Iterator[Schema]:
    """What a value may be: every schema that is no union of others, behind references too."""
    if "$ref" in schema:
        yield from _members(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    for kind in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(kind, ()):
            yield from _members(member)
    if not any(kind in schema for kind in _GATHERED):
        yield schema


def _inside(schema: Schema, step: str | int) -> Iterator[Schema]:
    """The schemas of the values at a key or an index, one level down."""
    for member in _members(schema):
        other = member.get("items" if isinstance(step, int) else "additionalProperties")
        inner = member.get("properties", {}).get(step, other)
        if isinstance(inner, Mapping):
            yield inner


def _takes_word(member: Schema) -> bool:
    return member.get("type") not in ("array", "object", "null")


def _literals(schema: Schema) -> list[Any]:
    return list(schema.get("enum", [schema["const"]] if "const" in schema else []))
