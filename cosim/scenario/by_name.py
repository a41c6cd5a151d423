"""A mapping that one word of it tells apart from others may be written as that word alone."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator


def by_name(key: str, union: Any) -> BeforeValidator:
    """Reads a bare word as the mapping `{key: word}` of a union of sections.

    The JSON schema offers the words of those sections that need no other key.
    """
    sections = [member for member in get_args(union) if issubclass(member, BaseModel)]
    words = [
        section.model_fields[key].default
        for section in sections
        if not any(field.is_required() for field in section.model_fields.values())
    ]
    literal: Any = Literal

    def mapping_of(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(mapping_of, json_schema_input_type=literal[tuple(words)] | union)
