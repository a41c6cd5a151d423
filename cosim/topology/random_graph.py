"""A uniform graph of bounded degree, without a list of all pairs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cosim.topology.distance import SLACK, squared_m2

# Pairs are listed once the open devices are this many times the degree + 1. At least 1, or a
# group of open devices that are all joined already would be drawn from forever.
_LISTED = 4


def random_edges(
    count: int,
    degree: int,
    random: np.random.Generator,
    positions_m: NDArray[np.float64] | None = None,
    range_m: float | None = None,
) -> list[tuple[int, int]]:
    """Edges (low, high) of devices 0 … count − 1: all pairs in a uniform order, each kept if it
    leaves both ends within the degree.

    With `range_m`, the pairs are those at most so far apart at positions (count, 2) in m;
    ValueError if there are no positions.

    Of that order only the kept edges matter, and each of them is uniform among the pairs that
    could still be kept. So pairs of open devices, which are below the degree, are drawn at random
    and those that cannot be kept passed over. Few open devices or few pairs in range make most
    draws vain; then the pairs that are left are listed and shuffled.
    """
    if range_m is not None and positions_m is None:
        raise ValueError("a range needs positions")
    graph = _Growing(count, degree)
    open_ = np.arange(count)
    share_in_range = 1.0
    # Listing n open devices takes n²·share/2 pairs, drawing about n·degree/share: the second
    # condition is where they meet. It keeps the share of joined pairs among those in range, at
    # most degree/(n·share), below 1/2, so that at least every second draw in range is fresh.
    while len(open_) > _LISTED * (degree + 1) and share_in_range**2 * len(open_) > degree:
        size = int(len(open_) / (2 * share_in_range))
        pairs = open_[random.integers(len(open_), size=(size, 2))]
        pairs = _in_range(pairs[pairs[:, 0] != pairs[:, 1]], positions_m, range_m)
        share_in_range = len(pairs) / size
        graph.keep(np.sort(pairs, axis=1))
        open_ = graph.open_among(open_)
    pairs = _listed(open_, positions_m, range_m)
    graph.keep(pairs[random.permutation(len(pairs))])
    return list(graph.edges)


@dataclass
class _Growing:
    """The edges so far, and how many more each device may have."""

    count: int
    degree: int
    edges: dict[tuple[int, int], None] = field(default_factory=dict)  # an ordered set

    def __post_init__(self) -> None:
        self.left = [self.degree] * self.count

    def keep(self, pairs: NDArray[np.int64]) -> None:
        """Joins each pair (low, high), in order, that is not joined and has both ends open."""
        left = self.left
        for low, high in zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True):
            if left[low] and left[high] and (low, high) not in self.edges:
                left[low] -= 1
                left[high] -= 1
                self.edges[low, high] = None

    def open_among(self, devices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the devices that are below the degree."""
        return devices[[self.left[device] > 0 for device in devices.tolist()]]


def _in_range(
    pairs: NDArray[np.int64], positions_m: NDArray[np.float64] | None, range_m: float | None
) -> NDArray[np.int64]:
    if positions_m is None or range_m is None:
        return pairs
    return pairs[squared_m2(positions_m, pairs[:, 0], pairs[:, 1]) <= range_m**2]


def _listed(
    devices: NDArray[np.int64], positions_m: NDArray[np.float64] | None, range_m: float | None
) -> NDArray[np.int64]:
    """All pairs (low, high) in range of ascending devices, in lexicographic order; (P, 2)."""
    if positions_m is None or range_m is None or len(devices) < 2:
        return np.stack([devices[ends] for ends in np.triu_indices(len(devices), 1)], axis=1)
    from scipy.spatial import cKDTree  # which other graphs do without

    tree = cKDTree(positions_m[devices])
    pairs = devices[np.sort(tree.query_pairs(range_m * (1 + SLACK), output_type="ndarray"), axis=1)]
    return _in_range(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], positions_m, range_m)
