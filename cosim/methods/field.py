"""A slot as a field of a method: a word, or a mapping with the word and some settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, ValidationError
from pydantic_core import core_schema

from cosim.errors import MethodError
from cosim.methods.part import Part, parts_of
from cosim.spelling import did_you_mean, nearest


class OneOf:
    """The annotation has a field hold one of these parts, or one of its slot from outside."""

    def __init__(self, *parts: type[Part]) -> None:
        self.parts = parts
        self.slot, self.key = parts[0].slot, parts[0].key

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        some: Any = reduce(or_, self.parts)
        parts = some if len(self.parts) == 1 else Annotated[some, Field(discriminator=self.key)]
        words: Any = Literal[tuple(str(part.word()) for part in self.parts)]
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler.generate_schema(parts),
            # Without its word a mapping is some settings of the method's own part, which several
            # parts of the slot may have.
            json_schema_input_schema=handler.generate_schema(words | some),
            serialization=core_schema.plain_serializer_function_ser_schema(written),
        )

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, Part) and value.slot == self.slot:
            return value
        if (reason := _misplaced(value, self.slot)) is not None:
            raise ValueError(reason)
        mapping = {self.key: value} if isinstance(value, str) else value
        if isinstance(mapping, dict):
            kinds, word = parts_of(self.slot), mapping.get(self.key)
            outside = {name: kind for name, kind in kinds.items() if kind not in self.parts}
            if isinstance(word, str) and word in outside:
                return _made(outside[word], mapping)
            if outside and isinstance(word, str) and word not in kinds:
                place = f"{self.key}: " if isinstance(value, dict) else ""
                raise ValueError(
                    f"{place}{word!r} is not one of {', '.join(kinds)}{did_you_mean(word, kinds)}"
                )
        return handler(mapping)


def _misplaced(value: Any, slot: str) -> str | None:
    """Why a Python value is no part of a slot; None where it may yet be one's word or mapping."""
    if isinstance(value, type) and issubclass(value, Part):
        return f"{value.__name__} is a class and not a part: write {value.__name__}()"
    if isinstance(value, Part) and value.slot != slot:
        kind = type(value).__name__
        return (
            f"{kind} is a part of slot {value.slot} and stands in slot {slot}: write "
            f"{value.slot}={kind}()"
        )
    return None


def _made(kind: type[Part], mapping: Mapping[str, Any]) -> Part:
    """A part of a kind that the schema does not know; raises ValueError with the setting's name."""
    try:
        return kind.model_validate(mapping)
    except ValidationError as refusal:
        error = refusal.errors(include_url=False)[0]
    path = ".".join(map(str, error["loc"]))
    words = str(error.get("ctx", {}).get("error") or error["msg"])
    settings = [kind.key, *kind.settings()]
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(path, settings)
        words = f"unknown key{hint} (expected one of: {', '.join(settings)})"
    elif error["type"] == "missing":
        path, words = "", f"the key '{path}' is missing"
    else:
        words = f"{words[0].lower()}{words[1:]}, got {error['input']!r}"
    raise ValueError(f"{path}: {words}" if path else words)


def completed(part: Part, mapping: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    """Settings without a part's word as those of the part that a method has, with its others.

    Raises MethodError, which begins with the setting's path, for one that other parts of the slot
    have and this one has not. A mapping with a word, right or misspelt, stays as it is.
    """
    # A topology's word is its `graph` where any other's is its `name`.
    if {"name", "graph", part.key} & mapping.keys():
        return mapping
    for setting in (key for key in mapping if key not in part.settings()):
        if nearest(setting, [part.key]) is not None:
            return mapping
        kinds = parts_of(part.slot).items()
        if words := [word for word, kind in kinds if setting in kind.settings()]:
            raise MethodError(
                f"{part.slot}.{setting}: is no setting of '{part.word()}', which {method} has, but "
                f"of {', '.join(words)}: write {{{part.key}: {words[0]}, {setting}: …}}"
            )
    own = written(part)
    return {**(own if isinstance(own, Mapping) else {part.key: own}), **mapping}


def written(part: Part | None) -> Any:
    """A part as a scenario writes it: its word, with its settings where it has any, but for those
    that are left out of what is written.

    A topology is a mapping always, so that `method.topology.graph` is there whatever the graph.
    """
    if part is None:
        return None
    word = getattr(part, part.key)
    fields = type(part).model_fields
    values = {name: getattr(part, name) for name in part.settings()}
    settings = {
        name: _plain(value)
        for name, value in values.items()
        if (left_out := fields[name].exclude_if) is None or not left_out(value)
    }
    return {part.key: word, **settings} if settings or part.key != Part.key else word


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
