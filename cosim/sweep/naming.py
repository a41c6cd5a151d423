"""What the directory of a run is called: its point in the grid, readable, safe and unique."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cosim.scenario.reading.one_line import number_text, short_paths
from cosim.scenario.reading.yaml_text import parse

# Most file systems end a name at 255 bytes; a run that is moved aside grows by a suffix.
_LONGEST = 160
_LONGEST_VALUE = 40


def point_name(values: Mapping[str, Any], seed: int) -> str:
    """`method-lora__bandwidth_hz-5e6__seed-1`, of A-Z a-z 0-9 . _ - alone.

    A value whose text has to be changed for that, or cut, ends in a hash of what it was; so the
    name depends on the point alone, and a grid that grows keeps the names that it had.
    """
    short = short_paths(values)
    parts = [f"{_safe(short[path])}-{_value(value)}" for path, value in values.items()]
    name = "__".join([*parts, f"seed-{seed}"])
    if len(name) <= _LONGEST:
        return name
    stem = name[: _LONGEST - len(f"seed-{seed}") - 12].rstrip("._-")
    return f"{stem}__{_hash(dict(values))}__seed-{seed}"


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        text, exact = value, _reads_as_text(value)
    else:
        text, exact = " ".join(map(str, _words(value))), False
    safe = _safe(text)[:_LONGEST_VALUE].strip(".-") or "value"
    return safe if exact and safe == text else f"{safe}-{_hash(value)}"


def _words(value: Any) -> list[Any]:
    """What a collection holds, without its keys."""
    if isinstance(value, dict):
        return [word for item in value.values() for word in _words(item)]
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    return [number_text(value) if isinstance(value, float) else value]


def _reads_as_text(text: str) -> bool:
    """Whether YAML takes the text for a text, and not for a number or a word such as null."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text) or "__" in text:
        return False
    node = parse(text)
    return node is not None and node.value == text


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text)


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
