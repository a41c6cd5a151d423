"""What the directory of a run is called: its point in the grid, readable, safe and unique."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cosim.scenario.reading.one_line import number_text, short_paths, shorten, shown
from cosim.scenario.reading.yaml_text import parse

# Most file systems end a name at 255 bytes; a run that is moved aside grows by a suffix.
_LONGEST = 160
_LONGEST_VALUE = 40
_GIVEN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._=+-]{0,38}[A-Za-z0-9_=+-])?")


def point_name(values: Mapping[str, Any], seed: int, names: Mapping[str, str] | None = None) -> str:
    """`method-lora__bandwidth_hz-5e6__seed-1`, of A-Z a-z 0-9 . _ - alone, and = + of names.

    A value that somebody has named, path → name, is told by its name, blanks made hyphens. Another
    whose text has to be changed, or cut, ends in a hash of what it was; so the name depends on the
    point alone, and a grid that grows keeps the names that it had.
    """
    short, given = short_paths(values), names or {}
    parts = [
        f"{_safe(short[path])}-{_unspaced(given[path]) if path in given else _value(value)}"
        for path, value in values.items()
    ]
    name = "__".join([*parts, f"seed-{seed}"])
    if len(name) <= _LONGEST:
        return name
    stem = name[: _LONGEST - len(f"seed-{seed}") - 12].rstrip("._-")
    return f"{stem}__{_hash({**values, **given})}__seed-{seed}"


def point_label(
    values: Mapping[str, Any], names: Mapping[str, str], varied: Iterable[str]
) -> str | None:
    """What a point is called in tables, whatever its seed; None where none of its values has a
    name.

    varied: the paths that take several values, which are told where they have no name.
    """
    if not names:
        return None
    short, told = short_paths(values), set(varied)
    parts = []
    for path, value in values.items():
        if path in names:
            parts.append(names[path])
        elif path in told:
            parts.append(f"{short[path]}={_told(value)}")
    return " ".join(parts)


def _told(value: Any) -> str:
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, dict | list):
        return shorten(" ".join(map(str, _words(value))), _LONGEST_VALUE)
    return (
        shorten(value, _LONGEST_VALUE) if isinstance(value, str) else shown(value, _LONGEST_VALUE)
    )


def refuse_unfit_names(names: Iterable[str]) -> None:
    """Raises ValueError for a name that cannot be part of a directory's, or two that are alike."""
    former: dict[str, str] = {}
    for name in names:
        if not _GIVEN_NAME.fullmatch(name) or "__" in name:
            raise ValueError(
                f"the name {shown(name)} does not fit: at most {_LONGEST_VALUE} letters, digits, "
                "blanks and . _ = + -, no two _ together, and a letter or a digit first"
            )
        # There are file systems that take capitals for small letters.
        directory = _unspaced(name).lower()
        if directory in former:
            raise ValueError(
                f"the names {shown(former[directory])} and {shown(name)} are too alike"
            )
        former[directory] = name


def _unspaced(name: str) -> str:
    return re.sub(" +", "-", name)


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
