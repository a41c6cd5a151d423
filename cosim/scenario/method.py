"""From what a scenario says of its method to a recipe."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from cosim.methods import METHODS
from cosim.methods.recipe import Recipe
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean

MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]


def _optional(part: str) -> tuple[Any, Any]:
    """A part of a recipe that may be left out."""
    field = Recipe.model_fields[part]
    checked = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return (checked | None, Field(None, description=field.description))  # type: ignore[operator]


# Every part of a recipe by its own name, so that a new one is known here at once.
_parts: dict[str, Any] = {part: _optional(part) for part in Recipe.model_fields if part != "name"}
MethodMapping = create_model(
    "MethodMapping",
    __base__=Section,
    __doc__="What a scenario may write for a method: its name, and the parts that differ.",
    name=(MethodName, ...),
    **_parts,
)


def recipe_of(value: Any) -> Any:
    """A method's name, or a mapping with `name` and the parts that differ from its recipe."""
    if isinstance(value, Recipe):
        return value
    overrides: dict[str, Any] = {}
    if isinstance(value, dict):
        overrides = {str(key): part for key, part in value.items()}
        value = overrides.pop("name", None)
        if value is None:
            raise ValueError(f"a method mapping needs 'name', one of {', '.join(METHODS)}")
    if not isinstance(value, str):
        raise ValueError(f"expected the name of a method or a mapping, got {value!r}")
    if value not in METHODS:
        hint = did_you_mean(value, METHODS)
        raise ValueError(f"'{value}' is not a method{hint} (one of {', '.join(METHODS)})")
    return {**METHODS[value].model_dump(), **overrides}


Method = Annotated[
    Recipe, BeforeValidator(recipe_of, json_schema_input_type=MethodName | MethodMapping)
]
