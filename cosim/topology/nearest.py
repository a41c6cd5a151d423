"""The graph that joins the nearest devices first, without a list of all pairs."""

from __future__ import annotations

import itertools
from heapq import heapify, heappop, heappush
from math import inf

import numpy as np
from numpy.typing import NDArray

from cosim.topology.distance import SLACK, squared_m2

# A pair is (squared distance, low, high). In place of `high`, this stands before every pair of
# `low` at that distance and says that its pairs are known up to there only.
_UNKNOWN_BEYOND = -1
Pair = tuple[float, int, int]


def nearest_edges(
    positions_m: NDArray[np.float64], degree: int, range_m: float | None = None
) -> list[tuple[int, int]]:
    """Edges (low, high) of devices 0 … M − 1 at positions (M, 2) in m: all pairs, nearest first,
    each kept if it leaves both ends within the degree; ties in lexicographic order, and nothing
    beyond `range_m`.
    """
    edges = _within_places(positions_m, degree)
    slots = [degree] * len(positions_m)
    for edge in edges:
        for end in edge:
            slots[end] -= 1
    search = _Search(positions_m, degree, range_m)
    open_count = search.restrict(slots)
    heap = search.pairs(search.members)
    heapify(heap)
    while heap:
        _, low, high = heappop(heap)
        if not slots[low]:
            continue
        if high == _UNKNOWN_BEYOND:
            if 2 * open_count <= len(search.members):
                search.restrict(slots)
            for pair in search.pairs(np.array([low])):
                heappush(heap, pair)
        elif slots[high]:
            edges.append((low, high))
            for end in (low, high):
                slots[end] -= 1
                open_count -= not slots[end]
    return edges


def _within_places(positions_m: NDArray[np.float64], degree: int) -> list[tuple[int, int]]:
    """The edges of length zero: they come first, so that the devices of one place form complete
    groups of degree + 1 in their order."""
    order = np.lexsort((positions_m[:, 1], positions_m[:, 0]))  # stable: ascending in a place
    breaks = np.any(np.diff(positions_m[order], axis=0) != 0, axis=1)
    edges: list[tuple[int, int]] = []
    for place in np.split(order, np.flatnonzero(breaks) + 1):
        devices = place.tolist()
        for start in range(0, len(devices), degree + 1):
            edges += itertools.combinations(devices[start : start + degree + 1], 2)
    return edges


class _Search:
    """Hands out every pair of non-zero length once, for each device in growing circles."""

    def __init__(
        self, positions_m: NDArray[np.float64], degree: int, range_m: float | None
    ) -> None:
        self._positions_m = positions_m
        self._range_m2 = inf if range_m is None else range_m**2
        count = len(positions_m)
        # Where devices lie evenly, few need more than their 2·degree + 6 nearest.
        self._counts = np.full(count, 2 * degree + 7)
        self._known_m2 = np.full(count, np.nextafter(0.0, 1.0))
        self.members = np.arange(count)

    def restrict(self, slots: list[int]) -> int:
        """Searches from now on among the devices that may have more neighbours; their number."""
        self.members = np.flatnonzero(slots)
        if self.members.size:
            from scipy.spatial import cKDTree  # which other graphs do without

            self._tree = cKDTree(self._positions_m[self.members])
        return self.members.size

    def pairs(self, lows: NDArray[np.int64]) -> list[Pair]:
        """Further pairs of each low device with a higher one, and the distance beyond which more
        of them may follow; each call for a device looks at twice as many of its nearest."""
        if not lows.size:
            return []
        count = min(int(self._counts[lows].max()), self.members.size)
        self._counts[lows] = 2 * count
        indices = self._tree.query(self._positions_m[lows], k=np.arange(1, count + 1))[1]
        highs = self.members[indices]
        squared = squared_m2(self._positions_m, lows[:, None], highs)
        # Of those as far as the farthest found, others may be missing.
        exhaustive = count == self.members.size
        until = np.full(lows.size, inf) if exhaustive else squared.max(axis=1) * (1 - SLACK)
        until = np.maximum(until, self._known_m2[lows])
        fresh = (squared >= self._known_m2[lows, None]) & (squared < until[:, None])
        rows, columns = np.nonzero(fresh & (highs > lows[:, None]) & (squared <= self._range_m2))
        self._known_m2[lows] = until
        more = np.isfinite(until) & (until <= self._range_m2)
        pairs = _tuples(squared[rows, columns], lows[rows], highs[rows, columns])
        pairs += _tuples(until[more], lows[more], np.full(int(more.sum()), _UNKNOWN_BEYOND))
        return pairs


def _tuples(
    squared_m2: NDArray[np.float64], lows: NDArray[np.int64], highs: NDArray[np.int64]
) -> list[Pair]:
    return list(zip(squared_m2.tolist(), lows.tolist(), highs.tolist(), strict=True))
