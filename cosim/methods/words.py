"""A method's recipe in words, one line a part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cosim.methods.recipe import Recipe


def recipe_words(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Every part of a recipe and what it chooses there, as a scenario would write it."""
    for part, choice in recipe.model_dump(mode="json", exclude={"name", "reference"}).items():
        if isinstance(choice, dict):
            words = [_keyed(key, value) for key, value in choice.items()]
            yield part, ", ".join(word for word in words if word)
        elif isinstance(choice, list):
            yield part, ", ".join(choice) or "none"
        else:
            yield part, str(choice)


def _keyed(key: str, value: Any) -> str:
    """`degree 2`; of a graph its word alone, and no range where there is none."""
    if key == "graph":
        return str(value)
    if key == "range_m" and value is None:
        return ""
    return f"{key} {value if isinstance(value, str) else json.dumps(value)}"
