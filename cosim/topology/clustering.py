"""Clusters of devices whose masks rarely collide, merged bottom up as arXiv 2602.20492 says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.topology.cluster_power import FloatArray, PowerLedger, PowerNeed

# Scores and powers that differ by less, relatively, are equal: the same sum in another order of
# its terms must not decide between two merges, nor keep a pair from exactly reaching S_max.
TIE = 1e-9


@dataclass(frozen=True)
class Merge:
    """A merge is one step of AGNES: a cluster joins another.

    kept: the smallest member of the other, and of the union.
    absorbed: the smallest member of the one that joins, larger than `kept`.
    """

    kept: int
    absorbed: int


@dataclass(frozen=True)
class Clustering:
    """A clustering is the disjoint clusters of all devices, and how they came about.

    clusters: in the order of their smallest member, each sorted.
    merges: in the order in which they happened.
    """

    clusters: tuple[tuple[int, ...], ...]
    merges: tuple[Merge, ...]


def agnes(
    densities: ArrayLike,
    max_collision_rate: float,
    *,
    weights: ArrayLike | None = None,
    power: PowerNeed | None = None,
) -> Clustering:
    """AGNES: from singletons, again and again merge the pair with the least S(C1 ∪ C2).

    S is eq. 19 of arXiv 2602.20492 per layer, and its weighted mean over the layers; a pair may
    merge while S ≤ S_max = `max_collision_rate` and every member of the union stays within p_max
    (eq. 11b with Lemma 1 at degree |C| − 1). Ties go to the least total power, then to the lowest
    smallest members. `densities` (M, L) or (M,) in [0, 1], device i in row i; `weights` (L,), the
    d·r of each layer, equal if not given; `power` None: no constraint. Takes O(M²·L) to start and
    O(M·(M + L)) a merge. ValueError for shapes or numbers out of range.
    """
    rates = _LayerRates(densities, weights)
    if not 0 <= max_collision_rate <= 1:
        raise ValueError("max_collision_rate must lie in [0, 1]")
    devices = rates.devices
    ledger = None if power is None else PowerLedger(power, devices)
    table = _PairTable(rates, ledger, max_collision_rate * (1 + TIE))
    members: dict[int, list[int]] = {device: [device] for device in range(devices)}
    merges = []
    while (pair := table.best()) is not None:
        kept, absorbed = pair
        members[kept] = sorted(members[kept] + members.pop(absorbed))
        merges.append(Merge(kept, absorbed))
        table.merge(kept, absorbed, np.array(sorted(members)))
    return Clustering(tuple(tuple(members[head]) for head in sorted(members)), tuple(merges))


class _LayerRates:
    """Per cluster and layer, the chances that none, one, or more of its masks hold a position.

    Products of chances, never ratios, so that densities of 1 need no exception; and the chance of
    a collision is a sum of its own, because 1 − none − one loses its digits at low densities.
    """

    def __init__(self, densities: ArrayLike, weights: ArrayLike | None) -> None:
        s = np.asarray(densities, dtype=float)
        s = s[:, None] if s.ndim == 1 else s
        if s.ndim != 2 or 0 in s.shape or not np.all((s >= 0) & (s <= 1)):
            raise ValueError("densities must be (M,) or (M, L), not empty, and lie in [0, 1]")
        v = np.ones(s.shape[1]) if weights is None else np.asarray(weights, dtype=float)
        if v.shape != s.shape[1:] or not np.all(v >= 0) or not 0 < v.sum() < np.inf:
            raise ValueError(f"weights must be ({s.shape[1]},), not negative, and not all zero")
        # Layers in which every device has the density of another layer count as one layer.
        s, layer = np.unique(s, axis=1, return_inverse=True)
        self.weights = np.bincount(layer.ravel(), weights=v) / v.sum()
        self.none = 1.0 - s
        self.one = s
        self.many = np.zeros_like(s)

    @property
    def devices(self) -> int:
        return len(self.one)

    def of_pairs(self) -> FloatArray:
        """S (M, M) of every pair of devices: Σ_l v_l·s_il·s_jl."""
        return np.asarray((self.one * self.weights) @ self.one.T)

    def of_unions(self, cluster: int, others: NDArray[np.intp]) -> FloatArray:
        """S (K,) of a cluster merged with each of others: many + many' − many·many' + one·one'."""
        many, one = self.weights * self.many[cluster], self.weights * self.one[cluster]
        rates = self.many[others]
        rate = many.sum() + rates @ (self.weights - many) + self.one[others] @ one
        return np.asarray(rate)

    def merge(self, kept: int, absorbed: int) -> None:
        none, one, many = self.none[kept], self.one[kept], self.many[kept]
        none2, one2, many2 = self.none[absorbed], self.one[absorbed], self.many[absorbed]
        self.many[kept] = many + many2 * (1.0 - many) + one * one2
        self.one[kept] = one * none2 + one2 * none
        self.none[kept] = none * none2


class _PairTable:
    """Scores of all pairs of clusters, inf where they may not merge, with each row's least."""

    def __init__(self, rates: _LayerRates, ledger: PowerLedger | None, limit: float) -> None:
        self._rates = rates
        self._ledger = ledger
        self._limit = limit
        devices = rates.devices
        self.scores = rates.of_pairs()
        self.scores[self.scores > limit] = np.inf
        if ledger is None:
            self.power_w = np.zeros((devices, devices))
        else:
            self.power_w, fits = ledger.of_pairs()
            self.scores[~fits] = np.inf
        np.fill_diagonal(self.scores, np.inf)
        self._least = self.scores.min(axis=1)

    def best(self) -> tuple[int, int] | None:
        """The pair to merge next, smaller name first."""
        least = self._least.min()
        if not np.isfinite(least):
            return None
        # Rows rise and the table is symmetric, so the first of equals has the lowest names.
        rows = np.flatnonzero(self._least <= least * (1 + TIE))
        first, second = np.nonzero(self.scores[rows] <= least * (1 + TIE))
        power = self.power_w[rows[first], second]
        winner = int(np.argmax(power <= power.min() * (1 + TIE)))
        return int(rows[first[winner]]), int(second[winner])

    def merge(self, kept: int, absorbed: int, clusters: NDArray[np.intp]) -> None:
        """Merges two clusters and scores the union with the others."""
        self._rates.merge(kept, absorbed)
        if self._ledger is not None:
            self._ledger.merge(kept, absorbed)
        others = clusters[clusters != kept]
        columns = self.scores[:, [kept, absorbed]]
        live = np.isfinite(self._least)
        stale = np.flatnonzero(live & (columns <= self._least[:, None]).any(axis=1))
        for cluster in (kept, absorbed):
            self.scores[cluster, :] = self.scores[:, cluster] = np.inf
        if len(others):
            score = self._rates.of_unions(kept, others)
            score[score > self._limit] = np.inf
            if self._ledger is not None:
                power, fits = self._ledger.of_unions(kept, others)
                score[~fits] = np.inf
                self.power_w[kept, others] = self.power_w[others, kept] = power
            self.scores[kept, others] = self.scores[others, kept] = score
            self._least[others] = np.minimum(self._least[others], score)
        stale = np.union1d(stale, [kept, absorbed])
        self._least[stale] = self.scores[stale].min(axis=1)
