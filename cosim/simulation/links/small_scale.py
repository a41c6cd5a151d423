"""The part of the channel that fades: |z|² of pairs, over the paths that both ends travel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.fleet import Fleet
from cosim.physics.fading import (
    ClarkeFading,
    block_power_gain,
    clarke_power_gains,
    clarke_power_gains_at_even_steps,
)
from cosim.randomness import pair, stream
from cosim.scenario.radio import ClarkeFading as ClarkeChoice
from cosim.scenario.radio import Radio

FloatArray = NDArray[np.float64]

# Beyond that, all are drawn again when they come back: some 100 MB of phases at 64 sinusoids.
_PAIRS_KEPT = 1 << 16


class SmallScale:
    """The fading |z|² of pairs; each has one reciprocal stream, ("fading", i, j) with i < j."""

    def __init__(self, radio: Radio, fleet: Fleet, seed: int) -> None:
        self.radio = radio
        self.seed = seed
        self._fleet = fleet
        self._drawn: dict[tuple[int, int], ClarkeFading] = {}

    def gains(
        self, links: Sequence[tuple[int, int]], times_s: FloatArray, rounds: Sequence[int]
    ) -> FloatArray:
        """|z|² (L, T): 1 without fading, one draw a pair and round for block, Clarke otherwise,
        quickest where the times are evenly spaced; `rounds` (L,) tells the blocks."""
        fading = self.radio.fading
        if fading.model == "none":
            return np.ones((len(links), len(times_s)))
        pairs = [pair(*link) for link in links]
        if fading.model == "block":
            drawn = [
                float(block_power_gain(stream(self.seed, "fading", *ends, round_)))
                for ends, round_ in zip(pairs, rounds, strict=True)
            ]
            return np.repeat(np.array(drawn)[:, None], len(times_s), axis=1)
        return self._clarke(fading, pairs, times_s)

    def _clarke(
        self, fading: ClarkeChoice, pairs: Sequence[tuple[int, int]], times_s: FloatArray
    ) -> FloatArray:
        """Few pairs have an end that changes speed between the times; the others are evaluated
        from tables of phases."""
        drawn = self._draw(fading, pairs)
        ends = np.array(pairs)
        gains = np.empty((len(pairs), len(times_s)))
        first, step = self._fleet.steady_m(ends, times_s)
        steady = ~np.isnan(step).any(axis=1) & _evenly_spaced(times_s)
        of = np.flatnonzero(steady)
        if of.size:
            gains[of] = clarke_power_gains_at_even_steps(
                [drawn[k] for k in of.tolist()],
                *(first[of, 0], step[of, 0], first[of, 1], step[of, 1]),
                len(times_s),
            )
        if not steady.all():
            of = np.flatnonzero(~steady)
            travelled = self._fleet.travelled_m(ends[of], times_s)
            gains[of] = clarke_power_gains(
                [drawn[k] for k in of.tolist()], travelled[:, 0], travelled[:, 1]
            )
        return gains

    def _draw(self, fading: ClarkeChoice, pairs: Sequence[tuple[int, int]]) -> list[ClarkeFading]:
        """The pairs' fading, drawn where it is not known."""
        if len(self._drawn) > _PAIRS_KEPT:
            self._drawn.clear()
        new = [ends for ends in dict.fromkeys(pairs) if ends not in self._drawn]
        fadings = ClarkeFading.draw_all(
            [stream(self.seed, "fading", *ends) for ends in new],
            carrier_hz=self.radio.carrier_hz,
            sinusoids=fading.sinusoids,
        )
        self._drawn.update(zip(new, fadings, strict=True))
        return [self._drawn[ends] for ends in pairs]


def _evenly_spaced(times_s: FloatArray) -> bool:
    """Whether times (T,) are equally far apart, up to the clock's rounding of them."""
    gaps = np.diff(times_s)
    rounding = 4.0 * math.ulp(float(times_s[-1]))
    return gaps.size == 0 or bool(np.ptp(gaps) <= 1e-6 * gaps[0] + rounding)
