"""The reference of a scenario: every key with its type, range, default, unit and meaning.

It is read off the JSON schema, so that a key which a section gains is in the reference at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cosim.methods.part import Part
from cosim.scenario.json_schema import Schema, literals, members, scenario_schema, word_key_of
from cosim.scenario.values import bounds, kind, unit, written
from cosim.spelling import nearest

# A step of a path that the scenario chooses: the number of a list's item, a name.
ITEM, NAME = "0", "NAME"


@dataclass(frozen=True)
class Key:
    """A key of a scenario names a value and says what that may be.

    path: from the top, items and names that the scenario chooses as `ITEM` and `NAME`.
    word: of the variant that it belongs to; empty where it is always there.
    words: the literal values that it takes.
    kinds: what it takes beside them: a number, text, a mapping, null.
    bounds: the limits of its numbers, texts and items; empty where there are none.
    default: as YAML writes it; None where the key is required.
    unit: that its name ends with; empty where it is no number or has none.
    meaning: one sentence or more, without a line break.
    word_key: the key of its mapping that a bare word stands for; None where none does.
    variants: the mappings that it takes.
    """

    path: tuple[str, ...]
    word: str
    words: tuple[str, ...]
    kinds: tuple[str, ...]
    bounds: str
    default: str | None
    unit: str
    meaning: str
    word_key: str | None
    variants: tuple[Variant, ...]

    @property
    def name(self) -> str:
        """The path as `--set` takes it."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Variant:
    """A variant is one of the mappings that a key takes.

    word: that tells it from the others; empty where none does.
    meaning: as of `Key`.
    keys: inside it.
    """

    word: str
    meaning: str
    keys: tuple[Key, ...]


@lru_cache(maxsize=1)
def sections() -> tuple[Key, ...]:
    """The outermost keys of a scenario."""
    return _keys(scenario_schema(), ())


def every_key(keys: Sequence[Key] | None = None) -> Iterator[Key]:
    """All keys, each before those inside it."""
    for key in sections() if keys is None else keys:
        yield key
        for variant in key.variants:
            yield from every_key(variant.keys)


def explained(path: str) -> list[Key | Variant]:
    """What lies at a dotted path: a key, a key of several variants, or one variant by its word.

    An item's number and a name that the scenario chooses may be left out. Empty where nothing does.
    """
    places: list[Key | Variant] = [Variant("", "", sections())]
    for step in path.split("."):
        inner = [child for place in places for child in _step(place, step)]
        places = inner or [place for place in places if _is_chosen(place, step)]
    return places


def of_part(kind: type[Part]) -> Variant:
    """A part that the schema of scenarios does not know, as of a method's file."""
    schema = kind.model_json_schema()
    whole = _inlined(schema, schema.get("$defs", {}))
    return next(_variants([whole], ("method", kind.slot), kind.key))


def _inlined(node: Any, definitions: Schema) -> Any:
    """A schema with what it refers to in its place, as `members` looks that up elsewhere."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        node = {**definitions[name], **{key: node[key] for key in node if key != "$ref"}}
    return {key: _inlined(item, definitions) for key, item in node.items() if key != "$defs"}


def nearest_name(text: str, others: Iterable[str] = ()) -> str | None:
    """The key that was probably meant by a path or by a key's own name, or one of other words."""
    keys = {key.path[-1]: key.name for key in reversed(list(every_key()))}
    paths = {key.name: key.name for key in every_key()} | {word: word for word in others}
    last = text.rpartition(".")[2]
    for word, names, cutoff in ((text, paths, 0.85), (last, keys, 0.76), (text, paths, 0.6)):
        if near := nearest(word, names, cutoff=cutoff):
            return names[near]
    return None


def _step(place: Key | Variant, step: str) -> Iterator[Key | Variant]:
    if isinstance(place, Variant):
        yield from (key for key in place.keys if key.path[-1] == step)
        return
    if step == place.word_key:
        yield place
    for variant in place.variants:
        yield from _step(variant, step)
        if variant.word == step:
            yield variant


def _is_chosen(place: Key | Variant, step: str) -> bool:
    """Whether a step is the number or the name of one of a key's values."""
    if isinstance(place, Variant) or step == "":
        return False
    inner = {key.path[len(place.path)] for variant in place.variants for key in variant.keys}
    return NAME in inner or (ITEM in inner and step.isdecimal())


def _keys(schema: Schema, at: tuple[str, ...], word: str = "") -> tuple[Key, ...]:
    required = schema.get("required", ())
    return tuple(
        _key(inner, (*at, name), word, name in required)
        for name, inner in schema.get("properties", {}).items()
    )


def _key(schema: Schema, path: tuple[str, ...], word: str, required: bool) -> Key:
    choices = list(members(schema))
    word_key = word_key_of(schema)
    variants = tuple(_variants(choices, path, word_key))
    words = dict.fromkeys(written(word) for member in choices for word in literals(member))
    kinds = dict.fromkeys(kind(member) for member in choices if not literals(member))
    meaning = schema.get("description", "")
    if not meaning and len(variants) == 1:
        meaning = variants[0].meaning
    return Key(
        path=path,
        word=word,
        words=tuple(words),
        # Null last: "a number or null".
        kinds=tuple(sorted(kinds, key=lambda word: word == "null")),
        bounds="; ".join(dict.fromkeys(text for m in choices for text in bounds(m))),
        # What has no default there is made anew for every scenario: an empty mapping.
        default=None if required else _default(schema.get("default", {}), variants, word_key),
        unit=unit(path[-1]) if {"integer", "number"} & {_innermost(name) for name in kinds} else "",
        meaning=" ".join(meaning.split()),
        word_key=word_key,
        variants=variants,
    )


def _variants(
    gathered: Sequence[Schema], path: tuple[str, ...], word_key: str | None
) -> Iterator[Variant]:
    for member in gathered:
        for step, inner in ((ITEM, "items"), (NAME, "additionalProperties")):
            if isinstance(member.get(inner), dict):
                yield from _variants(list(members(member[inner])), (*path, step), None)
        if not member.get("properties"):
            continue
        constants = literals(member["properties"].get(word_key, {}))
        word = str(constants[0]) if len(constants) == 1 else ""
        keys = _keys(member, path, word)
        if word:
            keys = tuple(key for key in keys if key.path[-1] != word_key)
        yield Variant(word, " ".join(member.get("description", "").split()), keys)


def _default(value: Any, variants: Sequence[Variant], word_key: str | None) -> str:
    """A default as YAML, of a mapping only what its own keys would not fill in."""
    if not isinstance(value, dict):
        return written(value)
    word = value.get(word_key) if word_key else None
    inner = {key.path[-1]: key.default for v in variants if v.word in ("", word) for key in v.keys}
    changes = {
        name: text
        for name, item in value.items()
        if name != word_key
        and (text := written(item)) != inner.get(name)
        and item is not None
        and not isinstance(item, dict)
    }
    if word is not None and not changes:
        return str(word)
    changes = {word_key: str(word), **changes} if word_key and word is not None else changes
    if not changes and value:
        return ""  # the defaults of its own keys
    return f"{{{', '.join(f'{name}: {text}' for name, text in changes.items())}}}"


def _innermost(kind: str) -> str:
    """What a kind is a list of, or the kind itself: `number` of `list of [number, number]`."""
    return kind.removeprefix("list of ").strip("[]").partition(", ")[0]
