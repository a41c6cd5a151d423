"""From what a scenario says of its method to a recipe."""

from __future__ import annotations

import difflib
from typing import Any

from cosim.methods import METHODS
from cosim.methods.recipe import Recipe


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
        near = difflib.get_close_matches(value, METHODS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"'{value}' is not a method{hint} (one of {', '.join(METHODS)})")
    return {**METHODS[value].model_dump(), **overrides}
