"""Graphs of independent meetings: every pair meets with a probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def meetings(ids: Sequence[int], probability: float, random: np.random.Generator) -> IntArray:
    """Pairs (P, 2) of positions in the ascending ids, low before high, each with this probability.

    A pair's chance is drawn at the place that its two ids have among all pairs of ids, so that who
    meets does not hang on who else is there.
    """
    place = {device: number for number, device in enumerate(ids)}
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for high in range(max(ids, default=-1) + 1):
        hits = np.flatnonzero(random.random(high) < probability)
        if high in place:
            lows = [place[low] for low in hits.tolist() if low in place]
            pairs.append(np.array([(low, place[high]) for low in lows], np.int64).reshape(-1, 2))
    return np.concatenate(pairs)


def matching(pairs: IntArray, random: np.random.Generator) -> list[tuple[int, int]]:
    """Of pairs (P, 2), taken in a uniform order, each whose two ends are still free."""
    ends: set[int] = set()
    matches = []
    for low, high in pairs[random.permutation(len(pairs))].tolist():
        if low not in ends and high not in ends:
            ends |= {low, high}
            matches.append((low, high))
    return matches
