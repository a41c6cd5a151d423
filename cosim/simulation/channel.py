"""The radio channel between devices: gains at any time, from positions, path loss and fading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

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

Link = tuple[int, int]
"""Sender and receiver."""

# Drawn again when they come back: some 100 MB of phases at 64 sinusoids.
_LINKS_KEPT = 1 << 16


class Channel:
    """Gains of the links in use; a pair's fading is one reciprocal stream, whoever sends."""

    def __init__(self, radio: Radio, trajectories: Sequence[Trajectory], seed: int) -> None:
        self.radio = radio
        self.trajectories = trajectories
        self.seed = seed
        self._clarke_of = lru_cache(_LINKS_KEPT)(self._draw)
        self._large_scale = LargeScale(radio, seed)
        limits = np.array([path.speed_limit_m_s for path in trajectories], dtype=np.float64)
        self._doppler_hz = doppler_hz(limits, radio.carrier_hz)

    def noise_w(self, share_hz: FloatArray | float) -> FloatArray:
        """σ² = k·T0·B·F over a receiver's share, or over W where the scenario says constant."""
        band = share_hz if self.radio.noise == "share" else self.radio.bandwidth_hz
        return np.asarray(noise_w(band, self.radio.noise_figure_db))

    def positions_m(self, devices: Iterable[int], time_s: float) -> FloatArray:
        """Where devices are at one moment: (M, 2) in m."""
        places = [self.trajectories[device].position_m(time_s) for device in devices]
        return np.array(places).reshape(-1, 2)

    def distances_m(self, links: Sequence[Link], time_s: float) -> FloatArray:
        """Distances (L,) at one moment."""
        here, there = self._ends(links, np.array([time_s]))
        return np.asarray(np.linalg.norm(there - here, axis=-1))[:, 0]

    def mean_gains(self, links: Sequence[Link], time_s: float) -> FloatArray:
        """ḡ (L,) at one moment: path loss and shadowing."""
        return self._large_scale.gains(links, *self._ends(links, np.array([time_s])))[:, 0]

    def gains(self, links: Sequence[Link], time_s: float, rounds: Sequence[int]) -> FloatArray:
        """h = ḡ·|z|² (L,) at one moment; `rounds` (L,) tells the blocks of block fading."""
        times = np.array([time_s])
        return self.mean_gains(links, time_s) * self._fading(links, times, rounds)[:, 0]

    def slots(self, links: Sequence[Link], span_s: float) -> list[int]:
        """How many equal slots a span takes on each link: none wider than a fraction of the
        coherence time, by the speed limits of the link's two ends.

        Rounded up to three binary digits, so that links of many speeds are solved in few batches.
        """
        fading = self.radio.fading
        if not isinstance(fading, ClarkeChoice) or not links:
            return [1] * len(links)
        ends = np.array(links)
        spread = effective_doppler_hz(self._doppler_hz[ends[:, 0]], self._doppler_hz[ends[:, 1]])
        width = coherence_time_s(spread) / fading.slots_per_coherence_time
        return [_few_digits(max(1, math.ceil(span_s / own))) for own in width]

    def slot_gains(
        self, links: Sequence[Link], edges_s: FloatArray, rounds: Sequence[int]
    ) -> FloatArray:
        """h (L, T) at the middle of each slot; at its start where the fading is constant."""
        clarke = isinstance(self.radio.fading, ClarkeChoice)
        times = (edges_s[:-1] + edges_s[1:]) / 2 if clarke else edges_s[:-1]
        mean = self._large_scale.gains(links, *self._ends(links, times))
        return mean * self._fading(links, times, rounds)

    def _ends(self, links: Sequence[Link], times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positions (L, T, 2) of the senders and of the receivers; each device is asked once."""
        ends, places = self._asked_once(links, lambda path: path.position_m(times_s))
        return places[ends[:, 0]], places[ends[:, 1]]

    def _asked_once(
        self, links: Sequence[Link], question: Callable[[Trajectory], FloatArray]
    ) -> tuple[NDArray[np.int64], FloatArray]:
        """What every device at an end of a link answers, and the rows (L, 2) of the answers."""
        devices, ends = np.unique(np.array(links), return_inverse=True)
        answers = [question(self.trajectories[int(device)]) for device in devices]
        return ends.reshape(-1, 2), np.array(answers)

    def _fading(
        self, links: Sequence[Link], times_s: FloatArray, rounds: Sequence[int]
    ) -> FloatArray:
        """|z|² (L, T): 1 without fading, one draw a pair and round for block, Clarke otherwise."""
        fading = self.radio.fading
        if fading.model == "none":
            return np.ones((len(links), len(times_s)))
        if fading.model == "block":
            drawn = [
                float(block_power_gain(stream(self.seed, "fading", *pair(*link), round_)))
                for link, round_ in zip(links, rounds, strict=True)
            ]
            return np.repeat(np.array(drawn)[:, None], len(times_s), axis=1)
        ordered = [pair(*link) for link in links]
        ends, travelled = self._asked_once(ordered, lambda path: path.travelled_m(times_s))
        fadings = [self._clarke_of(*link) for link in ordered]
        return _clarke_gains(fadings, travelled[ends[:, 0]], travelled[ends[:, 1]])

    def _draw(self, first: int, second: int) -> ClarkeFading:
        assert isinstance(self.radio.fading, ClarkeChoice)
        return ClarkeFading.draw(
            stream(self.seed, "fading", first, second),
            carrier_hz=self.radio.carrier_hz,
            sinusoids=self.radio.fading.sinusoids,
        )


def _few_digits(slots: int) -> int:
    """The next number of no more than three binary digits and zeros: at most a quarter more."""
    step = 1 << max(slots.bit_length() - 3, 0)
    return -(-slots // step) * step


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
