"""A uniform graph of bounded degree, without a list of all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cosim.topology.distance import SLACK, squared_m2
from cosim.topology.link_power import LinkLedger, LinkNeed

# Pairs are listed once the open devices are this many times the degree + 1. At least 1, or a
# group of open devices that are all joined already would be drawn from forever.
_LISTED = 4
# Devices whose surroundings are looked through at once, where links refuse pairs.
_BLOCK = 256


def random_edges(
    count: int,
    degree: int,
    random: np.random.Generator,
    positions_m: NDArray[np.float64] | None = None,
    range_m: float | None = None,
    need: LinkNeed | None = None,
) -> list[tuple[int, int]]:
    """Edges (low, high) of devices 0 … count − 1: all pairs in a uniform order, each kept if it
    leaves both ends within the degree, and if both can then still send to all of their neighbours.

    With `range_m`, the pairs are those at most so far apart at positions (count, 2) in m;
    ValueError if there are no positions. `need` says what power the links take; None: any link
    will do. No edge could be added to what is kept. Where the links carry all edges of the graph
    that is drawn without `need`, it is that graph.

    Of that order only the kept edges matter, and each of them is uniform among the pairs that
    could still be kept. So pairs of open devices, which are below the degree, are drawn at random
    and those that cannot be kept passed over. Few open devices, or few pairs that are in range and
    carried, make most draws vain; then the pairs that are left are listed and shuffled.
    """
    if range_m is not None and positions_m is None:
        raise ValueError("a range needs positions")
    graph = _Growing(count, degree, need)
    open_ = np.arange(count)
    share = 1.0  # of the pairs drawn, in range and not refused by their links
    # Listing n open devices takes n²·share/2 pairs, drawing about n·degree/share: the second
    # condition is where they meet. It keeps the share of joined pairs among those in range, at
    # most degree/(n·share), below 1/2, so that at least every second draw in range is fresh.
    while len(open_) > _LISTED * (degree + 1) and share**2 * len(open_) > degree:
        size = int(len(open_) / (2 * share))
        pairs = open_[random.integers(len(open_), size=(size, 2))]
        pairs = _in_range(pairs[pairs[:, 0] != pairs[:, 1]], positions_m, range_m)
        share = (len(pairs) - graph.keep(np.sort(pairs, axis=1))) / size
        open_ = graph.open_among(open_)
    if graph.refused:
        pairs = _in_range(graph.carried_among(open_, positions_m), positions_m, range_m)
    else:
        pairs = _listed(open_, positions_m, range_m)
    graph.keep(pairs[random.permutation(len(pairs))])
    return list(graph.edges)


@dataclass
class _Growing:
    """A random graph that grows edge by edge.

    count: devices.
    degree: the most neighbours of a device.
    need: what links cost; None where they cost nothing.
    edges: the edges so far.
    refused: whether links have been refused for what they cost.
    """

    count: int
    degree: int
    need: LinkNeed | None = None
    edges: dict[tuple[int, int], None] = field(default_factory=dict)  # an ordered set
    refused: bool = False

    def __post_init__(self) -> None:
        self.slots = [self.degree] * self.count
        self.ledger = None if self.need is None else LinkLedger(self.need, self.count)

    def keep(self, pairs: NDArray[np.int64]) -> int:
        """Joins each pair (low, high), in order, that is not joined, has both ends open and is
        carried; returns how many were refused for the last reason alone."""
        slots, ledger, refused = self.slots, self.ledger, 0
        attenuations = np.zeros(len(pairs)) if self.need is None else self.need.attenuation(pairs)
        if ledger is not None and self.refused:  # then many are, and are passed over together
            carried = attenuations <= np.array(ledger.ceilings)[pairs].min(axis=1)
            refused = len(pairs) - int(carried.sum())
            pairs, attenuations = pairs[carried], attenuations[carried]
        ends = zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), attenuations.tolist(), strict=True)
        for low, high, attenuation in ends:
            if slots[low] and slots[high] and (low, high) not in self.edges:
                if ledger is not None:
                    if not ledger.carries(low, high, attenuation):
                        refused += 1
                        continue
                    ledger.join(low, high, attenuation)
                slots[low] -= 1
                slots[high] -= 1
                self.edges[low, high] = None
        self.refused = self.refused or refused > 0
        return refused

    def open_among(self, devices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the devices that are below the degree; once a pair has been refused, without
        those that have no power for one more link. Before, they would only change the draws."""
        still = [self.slots[device] > 0 for device in devices.tolist()]
        devices = devices[still]
        if self.ledger is None or not self.refused:
            return devices
        return devices[[self.ledger.ceilings[device] > 0 for device in devices.tolist()]]

    def carried_among(
        self, devices: NDArray[np.int64], positions_m: NDArray[np.float64] | None
    ) -> NDArray[np.int64]:
        """All pairs (low, high) of ascending devices that are carried, in lexicographic order."""
        assert self.need is not None
        assert self.ledger is not None
        ceilings = np.array(self.ledger.ceilings)
        parts = [np.empty((0, 2), dtype=np.int64)]
        for pairs in _near(devices, positions_m, ceilings[devices], self.need):
            fits = self.need.attenuation(pairs) <= ceilings[pairs].min(axis=1)
            parts.append(pairs[fits])
        pairs = np.concatenate(parts)
        return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _near(
    devices: NDArray[np.int64],
    positions_m: NDArray[np.float64] | None,
    ceilings: NDArray[np.float64],
    need: LinkNeed,
) -> Iterator[NDArray[np.int64]]:
    """Every pair (low, high) that may be carried, once, in blocks: those within the smaller reach
    of its two ends."""
    if positions_m is None or need.reach_m is None or len(devices) < 2:
        yield _listed(devices, None, None)
        return
    from scipy.spatial import cKDTree  # which other graphs do without

    reach_m = need.reach_m(ceilings)
    rank = np.empty(len(devices), dtype=np.int64)
    rank[np.argsort(reach_m, kind="stable")] = np.arange(len(devices))
    places_m = positions_m[devices]
    tree = cKDTree(places_m)
    for start in range(0, len(devices), _BLOCK):
        part = np.arange(start, min(start + _BLOCK, len(devices)))
        balls = tree.query_ball_point(places_m[part], reach_m[part] * (1 + SLACK))
        first = np.repeat(part, [len(ball) for ball in balls])
        second = np.fromiter((place for ball in balls for place in ball), np.int64, len(first))
        once = rank[first] < rank[second]
        yield np.sort(devices[np.stack((first[once], second[once]), axis=1)], axis=1)


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
