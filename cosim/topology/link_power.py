"""The transmit power that the links of a growing graph need at both of their ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinkNeed:
    """This is Lemma 1's p*_ij = unit_power_w(n)_i / h_ij in W of devices 0 … M − 1, link by link.

    A device with n neighbours needs Σ_j p*_ij ≤ p_max (eq. 11b of arXiv 2602.20492).

    attenuation: gives 1/h (P,) of pairs (P, 2), inf over a gain of 0.
    unit_power_w: gives for a degree n the power at a gain of 1, (M,) in W, the margin included; it
        grows with n, inf where it overflows.
    p_max_w: the most that a device sends with.
    shared_equally: whether a device needs n·max_j p*_ij ≤ p_max instead.
    reach_m: gives the distances in m beyond which no pair has as little 1/h (K,); None: unknown.
    """

    attenuation: Callable[[NDArray[np.int64]], FloatArray]
    unit_power_w: Callable[[int], FloatArray]
    p_max_w: float
    shared_equally: bool = False
    reach_m: Callable[[FloatArray], FloatArray] | None = None
    _by_degree: dict[int, list[float]] = field(default_factory=dict, init=False, repr=False)

    def at_gain_one_w(self, degree: int, device: int) -> float:
        """`unit_power_w(degree)` of one device; all are asked for once for every degree."""
        if degree not in self._by_degree:
            self._by_degree[degree] = np.asarray(self.unit_power_w(degree), dtype=float).tolist()
        return self._by_degree[degree][device]


class LinkLedger:
    """A link ledger says how much attenuation a further link of each device may have, kept while a
    graph grows.

    One more link raises the device's degree, and with it what its other links need: what is left
    of p_max after those is the new link's. It never grows, so that a pair that is refused once is
    refused for good. `ceilings` holds it by device; 0 or less: no further link can be carried.
    """

    def __init__(self, need: LinkNeed, devices: int) -> None:
        self._need = need
        self._degrees = [0] * devices
        self._loads = [0.0] * devices
        self.ceilings = [self._ceiling(device) for device in range(devices)]

    def carries(self, first: int, second: int, attenuation: float) -> bool:
        """Whether both ends have the power for a link between them."""
        return attenuation <= min(self.ceilings[first], self.ceilings[second])

    def join(self, first: int, second: int, attenuation: float) -> None:
        """Counts a link between two devices."""
        for end in (first, second):
            self._degrees[end] += 1
            if self._need.shared_equally:
                self._loads[end] = max(self._loads[end], attenuation)
            else:
                self._loads[end] += attenuation
            self.ceilings[end] = self._ceiling(end)

    def _ceiling(self, device: int) -> float:
        degree, load = self._degrees[device] + 1, self._loads[device]
        unit_w = self._need.at_gain_one_w(degree, device)
        if unit_w == 0.0:
            return np.inf  # nothing to send needs 0 W even over a dead link
        if self._need.shared_equally:
            most = self._need.p_max_w / (degree * unit_w)
            return most if load <= most else 0.0
        return self._need.p_max_w / unit_w - load
