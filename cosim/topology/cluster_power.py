"""The transmit power that members of a cluster need, for all pairs of clusters at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PowerNeed:
    """This is Lemma 1's p*_ij = unit_power_w(n)_i / h_ij in W, taken apart into degree and link.

    In a cluster C every member sends to n = |C| − 1 others and needs Σ_j p*_ij ≤ p_max (eq. 11b
    and 25 of arXiv 2602.20492). ValueError for wrong shapes, NaN and negative numbers.

    attenuation: (M, M) of 1/h_ij, inf over a gain of 0, its diagonal unused. Whatever differs
        between the receivers j, such as their noise figures, belongs in it.
    unit_power_w: gives for a degree n the power at a gain of 1, (M,) in W, which is
        σ²·(2^(Q_i·n/(W·Γ)) − 1), as `physics.power.lemma1_power_w` with gain 1; inf where that
        overflows, and σ² that of the share W/n if noise is counted so.
    p_max_w: one number or (M,).
    """

    attenuation: ArrayLike
    unit_power_w: Callable[[int], ArrayLike]
    p_max_w: ArrayLike
    _by_degree: dict[int, FloatArray] = field(default_factory=dict, init=False, repr=False)

    def checked_attenuation(self, devices: int) -> FloatArray:
        """A copy of 1/h (M, M) with a diagonal of 0."""
        attenuation = np.array(self.attenuation, dtype=float)
        if attenuation.shape != (devices, devices):
            raise ValueError(f"attenuation must be ({devices}, {devices}), got {attenuation.shape}")
        np.fill_diagonal(attenuation, 0.0)
        return _not_negative(attenuation, "attenuation")

    def limit_w(self, devices: int) -> FloatArray:
        """p_max of each device (M,) in W."""
        limit = _not_negative(np.asarray(self.p_max_w, dtype=float), "p_max_w")
        return np.broadcast_to(limit, (devices,))

    def at_gain_one_w(self, degree: int, devices: int) -> FloatArray:
        """`unit_power_w(degree)` (M,), asked once for every degree."""
        if degree not in self._by_degree:
            power = _not_negative(np.asarray(self.unit_power_w(degree), dtype=float), "power")
            self._by_degree[degree] = np.broadcast_to(power, (devices,))
        return self._by_degree[degree]


class PowerLedger:
    """A power ledger holds sums of 1/h from every device to every cluster, kept while clusters
    merge.

    A cluster is named by its smallest member. `to_cluster[i, c]` is Σ_{j∈c} 1/h_ij, current in
    the columns of clusters that still exist, and `own[i]` the same over i's own cluster. So the
    needs of a union follow from two additions per member, whatever the sizes.
    """

    def __init__(self, need: PowerNeed, devices: int) -> None:
        self._need = need
        self._limit = need.limit_w(devices)
        self._to_cluster = need.checked_attenuation(devices)
        self._inner = np.zeros(devices)
        self._cluster = np.arange(devices)
        self._sizes = np.ones(devices, dtype=np.int64)

    def of_pairs(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Total power (M, M) in W of each pair of devices, and whether both stay within p_max."""
        unit = self._need.at_gain_one_w(1, len(self._inner))
        power = _demand(unit[:, None], self._to_cluster)
        fits = power <= self._limit[:, None]
        return power + power.T, fits & fits.T

    def of_unions(
        self, cluster: int, others: NDArray[np.intp]
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Total power (K,) in W of `cluster` merged with each of `others`; whether all fit.

        `others` (K,) names existing clusters, in rising order, without `cluster` itself.
        """
        devices = len(self._inner)
        degrees, degree_index = np.unique(
            self._sizes[cluster] + self._sizes[others] - 1, return_inverse=True
        )
        unit = np.stack([self._need.at_gain_one_w(int(n), devices) for n in degrees])

        inside = np.flatnonzero(self._cluster == cluster)
        load = self._inner[inside] + self._to_cluster[np.ix_(inside, others)].T
        power = _demand(unit[np.ix_(degree_index, inside)], load)
        total = power.sum(axis=1)
        fits = (power <= self._limit[inside]).all(axis=1)

        place = np.searchsorted(others, self._cluster)
        place[place == len(others)] = 0
        outside = np.flatnonzero(others[place] == self._cluster)
        place = place[outside]
        load = self._inner[outside] + self._to_cluster[outside, cluster]
        power = _demand(unit[degree_index[place], outside], load)
        total += np.bincount(place, weights=power, minlength=len(others))
        too_much = np.bincount(place, weights=power > self._limit[outside], minlength=len(others))
        return total, fits & (too_much == 0)

    def merge(self, kept: int, absorbed: int) -> None:
        """Joins two clusters under the name of the first."""
        first = self._cluster == kept
        second = self._cluster == absorbed
        self._inner[first] += self._to_cluster[first, absorbed]
        self._inner[second] += self._to_cluster[second, kept]
        self._to_cluster[:, kept] += self._to_cluster[:, absorbed]
        self._cluster[second] = kept
        self._sizes[kept] += self._sizes[absorbed]


def _demand(unit: FloatArray, load: FloatArray) -> FloatArray:
    """unit·load, where nothing to send needs 0 W even over a dead link."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where((unit > 0) & (load > 0), unit * load, 0.0)


def _not_negative(values: FloatArray, name: str) -> FloatArray:
    if not np.all(values >= 0):
        raise ValueError(f"{name} must not be NaN or negative")
    return values
