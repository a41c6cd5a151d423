"""A method in words, one line a part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cosim.methods.method import Method


def method_words(method: Method) -> Iterator[tuple[str, str]]:
    """Every part of a method and what it chooses there, as a scenario would write it."""
    for slot, part in method.model_dump(mode="json", exclude={"name", "reference"}).items():
        yield slot, _written(part)


def _written(part: Any) -> str:
    """A value in YAML's flow style, but for settings that are null."""
    if isinstance(part, dict):
        settings = {key: value for key, value in part.items() if value is not None}
        if len(settings) == len(part) == 1:
            return _written(*settings.values())
        return f"{{{', '.join(f'{key}: {_written(value)}' for key, value in settings.items())}}}"
    if isinstance(part, list):
        return f"[{', '.join(map(_written, part))}]"
    return part if isinstance(part, str) else json.dumps(part)
