"""The radio channel between devices: gains at any time, from positions, path loss and fading."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.trajectory import Trajectory
from cosim.physics.fading import (
    ClarkeFading,
    block_power_gain,
    clarke_power_gains,
    clarke_power_gains_at_even_steps,
    coherence_time_s,
    doppler_hz,
    effective_doppler_hz,
)
from cosim.physics.rate import noise_w
from cosim.randomness import pair, stream
from cosim.scenario.radio import ClarkeFading as ClarkeChoice
from cosim.scenario.radio import Radio
from cosim.simulation.large_scale import LargeScale

FloatArray = NDArray[np.float64]


class Channel:
    """Gains of the links in use; a pair's fading is one reciprocal stream, whoever sends."""

    def __init__(self, radio: Radio, trajectories: Sequence[Trajectory], seed: int) -> None:
        self.radio = radio
        self.trajectories = trajectories
        self.seed = seed
        self._clarke: dict[tuple[int, int], ClarkeFading] = {}
        self._large_scale = LargeScale(radio, seed)

    def noise_w(self, receivers: int) -> float:
        """σ² = k·T0·B·F over a receiver's share W/n, or over W where the scenario says constant."""
        share = self.radio.bandwidth_hz / receivers
        band = share if self.radio.noise == "share" else self.radio.bandwidth_hz
        return float(noise_w(band, self.radio.noise_figure_db))

    def distances_m(self, sender: int, receivers: Sequence[int], time_s: float) -> FloatArray:
        """Distances (L,) at one moment."""
        here = self.trajectories[sender].position_m(time_s)
        there = np.array([self.trajectories[r].position_m(time_s) for r in receivers])
        return np.asarray(np.linalg.norm(there - here, axis=-1))

    def mean_gains(self, sender: int, receivers: Sequence[int], time_s: float) -> FloatArray:
        """ḡ (L,) at one moment: path loss and shadowing."""
        here = self.trajectories[sender].position_m(time_s)
        there = np.array([self.trajectories[r].position_m(time_s) for r in receivers])
        return self._large_scale.gains(sender, receivers, here, there)

    def gains(
        self, sender: int, receivers: Sequence[int], time_s: float, round_: int
    ) -> FloatArray:
        """h = ḡ·|z|² (L,) at one moment."""
        mean = self.mean_gains(sender, receivers, time_s)
        return mean * self._fading(sender, receivers, np.array([time_s]), round_)[:, 0]

    def slots(self, sender: int, receivers: Sequence[int], start_s: float, span_s: float) -> int:
        """How many equal slots a span takes: none wider than a fraction of the coherence time of
        the fastest pair, by the devices' speed limits."""
        fading = self.radio.fading
        if not isinstance(fading, ClarkeChoice):
            return 1
        own = self._doppler_hz(sender)
        fastest = max(float(effective_doppler_hz(own, self._doppler_hz(r))) for r in receivers)
        width = float(coherence_time_s(fastest)) / fading.slots_per_coherence_time
        return 1 if not math.isfinite(width) else max(1, math.ceil(span_s / width))

    def slot_gains(
        self, sender: int, receivers: Sequence[int], edges_s: FloatArray, round_: int
    ) -> FloatArray:
        """h (L, T) at the middle of each slot; at its start where the fading is constant."""
        clarke = isinstance(self.radio.fading, ClarkeChoice)
        times = (edges_s[:-1] + edges_s[1:]) / 2 if clarke else edges_s[:-1]
        here = self.trajectories[sender].position_m(times)
        there = np.array([self.trajectories[r].position_m(times) for r in receivers])
        mean = self._large_scale.gains(sender, receivers, here, there)
        return mean * self._fading(sender, receivers, times, round_)

    def _doppler_hz(self, device: int) -> float:
        limit = self.trajectories[device].speed_limit_m_s
        return float(doppler_hz(limit, self.radio.carrier_hz))

    def _fading(
        self, sender: int, receivers: Sequence[int], times_s: FloatArray, round_: int
    ) -> FloatArray:
        """|z|² (L, T): 1 without fading, one draw a pair and round for block, Clarke otherwise."""
        fading = self.radio.fading
        if fading.model == "none":
            return np.ones((len(receivers), len(times_s)))
        if fading.model == "block":
            drawn = [
                float(block_power_gain(stream(self.seed, "fading", *pair(sender, r), round_)))
                for r in receivers
            ]
            return np.repeat(np.array(drawn)[:, None], len(times_s), axis=1)
        links = [self._clarke_of(sender, r) for r in receivers]
        own = self.trajectories[sender].travelled_m(times_s)
        first, second = [], []
        for receiver in receivers:
            other = self.trajectories[receiver].travelled_m(times_s)
            low, high = (own, other) if sender < receiver else (other, own)
            first.append(low)
            second.append(high)
        return _clarke_gains(links, np.array(first), np.array(second))

    def _clarke_of(self, first: int, second: int) -> ClarkeFading:
        key = pair(first, second)
        if key not in self._clarke:
            assert isinstance(self.radio.fading, ClarkeChoice)
            self._clarke[key] = ClarkeFading.draw(
                stream(self.seed, "fading", *key),
                carrier_hz=self.radio.carrier_hz,
                sinusoids=self.radio.fading.sinusoids,
            )
        return self._clarke[key]


def _clarke_gains(
    links: Sequence[ClarkeFading], first_m: FloatArray, second_m: FloatArray
) -> FloatArray:
    """|z|² (L, T) from path lengths (L, T) at evenly spaced times.

    Few links have an end that turns or changes speed within a transfer; the others are evaluated
    from tables of phases.
    """
    gains = np.empty_like(first_m)
    even = _even(first_m) & _even(second_m)
    for of, evenly in ((np.flatnonzero(even), True), (np.flatnonzero(~even), False)):
        if of.size == 0:
            continue
        chosen, a, b = [links[int(k)] for k in of], first_m[of], second_m[of]
        if evenly:
            samples = a.shape[1]
            step = max(samples - 1, 1)
            gains[of] = clarke_power_gains_at_even_steps(
                chosen,
                a[:, 0],
                (a[:, -1] - a[:, 0]) / step,
                b[:, 0],
                (b[:, -1] - b[:, 0]) / step,
                samples,
            )
        else:
            gains[of] = clarke_power_gains(chosen, a, b)
    return gains


def _even(lengths_m: FloatArray) -> NDArray[np.bool_]:
    """Which rows of path lengths (L, T) grow by the same step throughout: (L,).

    Within a tenth of a nanometre, which turns no carrier's phase by more than its rounding does.
    """
    along = np.linspace(0.0, 1.0, lengths_m.shape[1])
    line = lengths_m[:, :1] + (lengths_m[:, -1:] - lengths_m[:, :1]) * along
    return np.asarray(np.abs(lengths_m - line).max(axis=1) <= 1e-10)
