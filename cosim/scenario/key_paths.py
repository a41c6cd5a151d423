"""Every key that a scenario may hold, by dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from cosim.scenario.json_schema import Schema, inside, members, scenario_schema, word_key_of
from cosim.spelling import nearest

MAX_DEPTH = 4
# Of the many names of keys one is near to most words.
_CUTOFF = 0.76


def meant_path(written: str, *, exactly: bool = False) -> str | None:
    """The path of the key that was meant: by its path or its own name, or probably by nearly so.

    None for a key whose value is always a list or a mapping, which no word of a command line is.
    """
    word, paths = written.replace("-", "_").lower(), key_paths()
    by_name: dict[str, str] = {}
    for path in paths:
        by_name.setdefault(path.rpartition(".")[2], path)
    match = word if word in paths else by_name.get(word)
    if match is not None or exactly:
        return match if match is not None and paths[match] else None
    names = [name for name, path in by_name.items() if paths[path]]
    near = nearest(word, names, cutoff=_CUTOFF)
    if near is not None:
        return by_name[near]
    return nearest(word, [path for path in paths if paths[path]], cutoff=_CUTOFF)


def word_key(steps: Sequence[str | int]) -> str | None:
    """The key that a bare word at this path stands for: `name` at `method`, `model` at
    `radio.fading`; None where a word is no mapping."""
    at = [scenario_schema()]
    for step in steps:
        at = [inner for member in at for inner in inside(member, step)]
    return word_key_of({"anyOf": at})


@lru_cache(maxsize=1)
def key_paths() -> dict[str, bool]:
    """Whether a word can be the value of a key, by its dotted path, outer paths first; of a list's
    items those of the first."""
    paths: dict[str, bool] = {}
    for path, takes_word in _paths(scenario_schema(), ()):
        paths[path] = takes_word or paths.get(path, False)
    return dict(sorted(paths.items(), key=lambda item: item[0].count(".")))


def _paths(schema: Schema, at: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    if len(at) > MAX_DEPTH:
        return
    for member in members(schema):
        for key, inner in member.get("properties", {}).items():
            yield ".".join((*at, key)), any(map(_takes_word, members(inner)))
            yield from _paths(inner, (*at, key))
        if at:
            for item in inside(member, 0):
                yield from _paths(item, (*at, "0"))


def _takes_word(member: Schema) -> bool:
    return member.get("type") not in ("array", "object", "null")
