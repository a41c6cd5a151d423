"""Every key that a scenario may hold, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cosim.scenario.model import Scenario
from cosim.spelling import nearest

MAX_DEPTH = 4


def key_paths() -> list[str]:
    """Dotted paths of all keys, outer ones first; of a list's items those of the first."""
    schema = Scenario.model_json_schema()
    found = dict.fromkeys(_paths(schema, schema.get("$defs", {}), ()))
    return sorted(found, key=lambda path: path.count("."))


def _paths(
    schema: Mapping[str, Any], defined: Mapping[str, Any], at: tuple[str, ...]
) -> Iterator[str]:
    if len(at) > MAX_DEPTH:
        return
    if "$ref" in schema:
        yield from _paths(defined[schema["$ref"].rpartition("/")[2]], defined, at)
    for kind in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(kind, ()):
            yield from _paths(member, defined, at)
    for key, inner in schema.get("properties", {}).items():
        yield ".".join((*at, key))
        yield from _paths(inner, defined, (*at, key))
    if isinstance(schema.get("items"), Mapping) and at:
        yield from _paths(schema["items"], defined, (*at, "0"))


def meant_path(written: str, *, exactly: bool = False) -> str | None:
    """The path of the key that was meant: by its path or its own name, or probably by nearly so."""
    wanted, paths = written.replace("-", "_").lower(), key_paths()
    by_name: dict[str, str] = {}
    for path in paths:
        by_name.setdefault(path.rpartition(".")[2], path)
    named = wanted if wanted in paths else by_name.get(wanted)
    if named is not None or exactly:
        return named
    return by_name.get(nearest(wanted, by_name) or "") or nearest(wanted, paths)
