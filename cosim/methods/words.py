"""A method's recipe in words, one line a part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cosim.methods.recipe import Recipe


def recipe_words(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every part of a recipe and what it chooses there, as a scenario would write it."""
    for part, choice in recipe.model_dump(mode="json", exclude={"name", "reference"}).items():
        yield part, _written(choice)


def _written(choice: Any) -> str:
    """A value in YAML's flow style; of a graph its word where that says all, and no range where
    there is none."""
    if isinstance(choice, dict):
        said = {key: value for key, value in choice.items() if (key, value) != ("range_m", None)}
        if list(said) == ["graph"]:
            return str(said["graph"])
        return f"{{{', '.join(f'{key}: {_written(value)}' for key, value in said.items())}}}"
    if isinstance(choice, list):
        return f"[{', '.join(map(_written, choice))}]"
    return choice if isinstance(choice, str) else json.dumps(choice)
