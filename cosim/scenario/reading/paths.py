"""Paths that a scenario names."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def expanded(text: str) -> Path:
    """The path with a leading `~` or `~user` as that home, and as it is where there is none."""
    path = Path(text)
    with suppress(RuntimeError):  # nobody is called so
        return path.expanduser()
    return path
