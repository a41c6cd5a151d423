"""What a row of a file holds: values by path, as text, and what stands for a row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from cosim.spelling import did_you_mean


def value_at(row: Any, path: str) -> Any:
    """The value at a path: a key of the row as it is written, or keys and indices with dots.

    Raises `ValueError` naming the nearest key where there is none.
    """
    reached = [row]
    for value in _values(row, path.split("."), reached):
        return value
    node = reached[-1]
    if isinstance(node, Mapping):
        keys = list(map(str, node))
        hint = did_you_mean(path if node is row else path.rpartition(".")[2], keys)
        names = ", ".join(keys[:_KEYS]) + (", …" if len(keys) > _KEYS else "")
        raise ValueError(f"no '{path}' in the row{hint} (it has: {names})")
    raise ValueError(f"no '{path}' in the row (it has: {type(node).__name__})")


_KEYS = 30


def _values(node: Any, steps: list[str], reached: list[Any]) -> Iterator[Any]:
    """What the steps lead to; a key that holds dots itself comes before those that it spells."""
    if not steps:
        yield node
        return
    if node is not reached[-1]:
        reached.append(node)
    if isinstance(node, list):
        if _is_index(steps[0], node):
            yield from _values(node[int(steps[0])], steps[1:], reached)
        return
    if not isinstance(node, Mapping):
        return
    for count in range(len(steps), 0, -1):
        key = ".".join(steps[:count])
        if key in node:
            yield from _values(node[key], steps[count:], reached)


def _is_index(step: str, items: list[Any]) -> bool:
    return step.isascii() and step.isdecimal() and len(step) < 10 and int(step) < len(items)


def as_text(value: Any, where: str) -> str:
    """A value as text: text as it is, numbers and booleans as JSON writes them.

    Raises `ValueError` naming the place for null, lists, objects and all else, which Python would
    write in its own way.
    """
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError(f"'{where}' is null, expected text or a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"'{where}' is {value}, expected text or a finite number")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    kinds: dict[type, str] = {dict: "an object", list: "a list", tuple: "a list"}
    kind = kinds.get(type(value), f"of type {type(value).__name__}")
    raise ValueError(f"'{where}' is {kind}, expected text or a number")


def digest(*parts: Any) -> bytes:
    """Stands for values that JSON can write, equal where they are, whatever the order of keys."""
    text = json.dumps(parts, sort_keys=True, default=repr, ensure_ascii=True)
    return blake2b(text.encode(), digest_size=16).digest()


def texts(values: Iterable[Any], where: str) -> tuple[str, ...]:
    """`as_text` of every item."""
    return tuple(as_text(value, f"{where}.{at}") for at, value in enumerate(values))
