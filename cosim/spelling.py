"""The word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: object, words: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The word most like `word` whatever its case, None if none is as close as `cutoff` of 1."""
    lower = {one.lower(): one for one in reversed(list(words))}
    found = difflib.get_close_matches(str(word)[:100].lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the nearest word, nothing where none is close."""
    near = nearest(word, words)
    return f"; did you mean '{near}'?" if near is not None else ""
