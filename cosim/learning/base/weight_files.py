"""Whether the files of a model's weights are there and whole, without reading a weight."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cosim.errors import BaseModelError

_WHOLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_POINTER = b"version https://git-lfs"


def refuse_absent_weights(folder: Path, source: str) -> None:
    """Raises `BaseModelError` where a file of weights is missing, cut off or stands for another.

    Of safetensors the header is read, which says how long the file is.
    """
    if any(os.path.isfile(folder / name) for name in _PICKLED) and not _safe(folder):
        return  # only loading them shows what they hold
    if not _safe(folder):
        names = ", ".join(sorted(os.listdir(folder))[:8])
        raise BaseModelError(
            f"base_model.source: '{source}' has no {_WHOLE}, nor an index of several such files "
            f"(it has: {names})"
        )
    for name in _names(folder, source):
        problem = _problem(folder / name)
        if problem is not None:
            raise BaseModelError(f"base_model.source: '{source}': {name} {problem}")


def _safe(folder: Path) -> bool:
    return os.path.isfile(folder / _WHOLE) or os.path.isfile(folder / _INDEX)


def _names(folder: Path, source: str) -> list[str]:
    if os.path.isfile(folder / _WHOLE):
        return [_WHOLE]
    try:
        names = set(json.loads((folder / _INDEX).read_bytes())["weight_map"].values())
        if not names or not all(b"\0" not in os.fsencode(name) and name for name in names):
            raise ValueError("no names")
        return sorted(names)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise BaseModelError(
            f"base_model.source: '{source}': {_INDEX} names no files of weights"
        ) from error


def _problem(file: Path) -> str | None:
    """What is wrong with a file of weights, None where nothing is seen."""
    from safetensors import SafetensorError, safe_open

    try:
        with file.open("rb") as opened:
            begin = opened.read(len(_POINTER))
        if begin == _POINTER:
            return "is a pointer of Git LFS and no weights; fetch them with: git lfs pull"
        with safe_open(file, framework="np"):
            return None
    except SafetensorError as error:
        size = os.path.getsize(file)
        return f"is no whole safetensors file of {size} bytes ({error}); copy it again"
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
