"""The radio channel between devices: gains at any time, from positions, path loss and fading."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.fleet import FleetMotion
from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory
from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.rate import noise_w
from cosim.scenario.radio import Radio
from cosim.simulation.links.large_scale import LargeScale, apart_m
from cosim.simulation.links.small_scale import SmallScale

FloatArray = NDArray[np.float64]

Link = tuple[int, int]
"""Sender and receiver."""

_NO_JUMPS: FloatArray = np.empty(0)


class Channel:
    """The channel gives the gains of the links in use; a pair's fading is one reciprocal stream,
    whoever sends.

    seed: of its random streams.
    fades_within_rounds: whether |z|² may change within a round.
    """

    def __init__(self, radio: Radio, trajectories: Sequence[Trajectory], seed: int) -> None:
        self.radio, self.seed = radio, seed
        self.trajectories = trajectories
        self._fleet = FleetMotion(trajectories)
        self._large_scale = LargeScale(radio, seed)
        self._small_scale = SmallScale(radio, self._fleet, seed)
        self.fades_within_rounds = self._small_scale.moves
        self._limits_m_s = np.array([path.speed_limit_m_s for path in trajectories], dtype=float)
        self._never_jump = {
            device
            for device, path in enumerate(trajectories)
            if isinstance(path, PiecewiseLinear | Static)
        }
        self._doppler_hz = doppler_hz(self._limits_m_s, radio.carrier_hz)

    def noise_w(self, share_hz: FloatArray | float) -> FloatArray:
        """σ² = k·T0·B·F over a receiver's share, or over W where the scenario says constant."""
        band = share_hz if self.radio.noise == "share" else self.radio.bandwidth_hz
        return np.asarray(noise_w(band, self.radio.noise_figure_db))

    def positions_m(self, devices: Iterable[int], time_s: float) -> FloatArray:
        """The places (M, 2) of devices at one moment."""
        return self.paths_m(devices, np.array([time_s]))[:, 0]

    def paths_m(
        self,
        devices: Iterable[int],
        times_s: FloatArray,
        span_s: tuple[float, float] | None = None,
    ) -> FloatArray:
        """The places (M, T, 2) of devices at times (T,); `span_s`: see `FleetMotion.position_m`."""
        return self._fleet.position_m(np.fromiter(devices, dtype=np.int64), times_s, span_s)

    def distances_m(self, links: Sequence[Link], time_s: FloatArray | float) -> FloatArray:
        """Distances (L,) at one moment, or at a moment (L,) of each link."""
        return apart_m(*self._ends(links, _moments(time_s)))[:, 0]

    def mean_gains(self, links: Sequence[Link], time_s: FloatArray | float) -> FloatArray:
        """ḡ (L,) at one moment, or at a moment (L,) of each link: path loss and shadowing."""
        return self._large_scale.gains(links, *self._ends(links, _moments(time_s)))[:, 0]

    def mean_gains_between(
        self, links: NDArray[np.int64], here_m: FloatArray, there_m: FloatArray
    ) -> FloatArray:
        """ḡ (L,) of links (L, 2) whose senders and receivers are at places (L, 2) in m."""
        return self._large_scale.gains(links, here_m, there_m)

    def gains(
        self, links: Sequence[Link], time_s: FloatArray | float, rounds: Sequence[int]
    ) -> FloatArray:
        """h = ḡ·|z|² (L,) at one moment, or at a moment (L,) of each link; `rounds` (L,) tells the
        blocks of block fading."""
        fades = self._small_scale.gains(links, _moments(time_s), rounds)
        return self.mean_gains(links, time_s) * fades[:, 0]

    @property
    def nearest_m(self) -> float:
        """The distance below which the path loss depends on it no more."""
        return self._large_scale.nearest_m

    @property
    def smooth_m(self) -> float:
        """A way on which shadowing hardly changes; infinite without shadowing."""
        return self._large_scale.smooth_m

    def course(
        self, links: Sequence[Link], times_s: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
        """Links at times (T,), or (L, T) of each: how far their ends are apart and how far both
        have gone in m, ḡ, and whether they have a line of sight that may be lost; (L, T) each."""
        here, there = self._ends(links, times_s)
        way_m = self._fleet.travelled_m(np.array(links), times_s[..., None, :]).sum(axis=1)
        gains = self._large_scale.gains(links, here, there)
        apart = apart_m(here, there)
        return apart, way_m, gains, self._large_scale.sees(links, apart)

    def sees(self, link: Link, times_s: FloatArray) -> NDArray[np.bool_]:
        """Whether a link has, at times (T,), a line of sight that may be lost."""
        (sees,) = self._large_scale.sees([link], apart_m(*self._ends([link], times_s)))
        return np.asarray(sees)

    def jumps_s(
        self, links: Sequence[Link], since_s: Sequence[float], span_s: float
    ) -> list[FloatArray]:
        """The moments within a span of each link at which its ends jump, in s after its `since_s`
        (L,)."""
        jumps: list[FloatArray] = []
        for link, begin_s in zip(links, since_s, strict=True):
            of_ends = [
                self.trajectories[device].jumps_s(begin_s, begin_s + span_s) - begin_s
                for device in link
                if device not in self._never_jump
            ]
            jumps.append(np.unique(np.concatenate(of_ends)) if of_ends else _NO_JUMPS)
        return jumps

    def speed_limits_m_s(self, links: Sequence[Link]) -> FloatArray:
        """The speeds (L,) at which the ends of each link part or come nearer at most."""
        return np.asarray(self._limits_m_s[np.array(links)].sum(axis=1))

    def slots(self, links: Sequence[Link], span_s: float) -> list[int]:
        """How many equal slots a span takes on each link by its fading: none wider than a fraction
        of the coherence time, by the speed limits of the link's two ends.

        Rounded up to three binary digits, so that links of many speeds are solved in few batches.
        """
        if not self.fades_within_rounds or not links:
            return [1] * len(links)
        ends = np.array(links)
        spread = effective_doppler_hz(self._doppler_hz[ends[:, 0]], self._doppler_hz[ends[:, 1]])
        widths_s = self._small_scale.slots_s(coherence_time_s(spread))
        return [
            _few_digits(max(2, math.ceil(span_s / width_s))) if width_s < math.inf else 1
            for width_s in widths_s
        ]

    def steady(
        self,
        links: Sequence[Link],
        since_s: FloatArray,
        span_s: float,
        slots: FloatArray,
        part: float,
    ) -> NDArray[np.bool_]:
        """On which links (L,), if their ends don't jump, ḡ surely changes no more in one of so many
        equal slots from `since_s` (L,) on than over a way of `part` of the distance, by the speed
        limits of both ends.

        Surely: a link may be steady of which this cannot be told without asking where it goes.
        """
        reach = self.speed_limits_m_s(links) * span_s
        apart = self.distances_m(links, since_s)
        step = reach / slots
        smooth = step <= part * np.maximum(apart - reach, self.nearest_m)
        smooth &= self._large_scale.gradual
        smooth &= step <= self._large_scale.smooth_m
        within = np.stack([np.maximum(apart - reach, 0.0), apart + reach], axis=1)
        near, far = self._large_scale.sees(links, within).T
        smooth &= near == far
        return np.asarray(smooth | (reach == 0.0))

    def slot_gains(
        self, links: Sequence[Link], edges_s: FloatArray, rounds: Sequence[int]
    ) -> FloatArray:
        """h (L, T) at the middle of each slot between edges (T + 1,), or (L, T + 1) of each
        link."""
        times = (edges_s[..., :-1] + edges_s[..., 1:]) / 2
        mean = self._large_scale.gains(links, *self._ends(links, times))
        return mean * self._small_scale.gains(links, times, rounds)

    def _ends(self, links: Sequence[Link], times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positions (L, T, 2) of the senders and of the receivers at times (T,) or (L, T)."""
        places = self._fleet.position_m(np.array(links), times_s[..., None, :])
        return places[:, 0], places[:, 1]


def _moments(time_s: FloatArray | float) -> FloatArray:
    """One time, or one (L,) of each link, as times (1,) or (L, 1)."""
    return np.asarray(time_s, dtype=np.float64)[..., None]


def _few_digits(slots: int) -> int:
    """The next number of no more than three binary digits and zeros: at most a quarter more."""
    step = 1 << max(slots.bit_length() - 3, 0)
    return -(-slots // step) * step
