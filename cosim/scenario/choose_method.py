"""From what a scenario says of its method to a recipe."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cosim.methods import METHODS
from cosim.methods.recipe import (
    Aggregation,
    Composition,
    Expansion,
    Projection,
    Recipe,
    Schedule,
    Topology,
)
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean

MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]


class MethodMapping(Section):
    """What a scenario may write for a method: its name, and the parts that differ."""

    name: MethodName
    reference: str | None = Field(None, description="where the variant comes from")
    projection: Projection | None = None
    expansion: Expansion | None = None
    topology: Topology | None = None
    aggregation: Aggregation | None = None
    composition: Composition | None = None
    schedule: Schedule | None = None


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
