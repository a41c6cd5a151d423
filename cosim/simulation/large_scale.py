"""The part of the channel that does not fade: path loss, line of sight and shadowing of pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.errors import ScenarioError
from cosim.physics.d2d import MINIMUM_M, d2d_outdoor_gain, los_probability
from cosim.physics.decibel import db_to_ratio
from cosim.physics.pathloss import log_distance_gain, paper_gain
from cosim.physics.shadowing import ShadowingField
from cosim.randomness import pair, stream
from cosim.scenario.radio import PathLoss, Radio

FloatArray = NDArray[np.float64]

# Without a pair to draw for, line of sight is what the greater part of the pairs have.
_MEDIAN_RANK = 0.5


def mean_gain(
    distance_m: FloatArray | float,
    path_loss: PathLoss,
    carrier_hz: float,
    los_rank: FloatArray | float = _MEDIAN_RANK,
) -> FloatArray:
    """ḡ(d) by the scenario's path-loss model, before shadowing; `los_rank` broadcasts to d."""
    match path_loss.model:
        case "paper":
            gain = paper_gain(
                distance_m, exponent=path_loss.exponent, minimum_m=path_loss.minimum_m
            )
        case "d2d_outdoor":
            gain = d2d_outdoor_gain(distance_m, los_rank=los_rank, carrier_hz=carrier_hz)
        case "log_distance":
            gain = log_distance_gain(
                distance_m,
                exponent=path_loss.exponent,
                carrier_hz=carrier_hz,
                reference_m=path_loss.reference_m,
                minimum_m=path_loss.minimum_m,
            )
    return np.asarray(gain, dtype=float)


def apart_m(here_m: FloatArray, there_m: FloatArray) -> FloatArray:
    """Distances (…) of places (…, 2), in m."""
    apart = there_m - here_m
    return np.asarray(np.sqrt(np.square(apart[..., 0]) + np.square(apart[..., 1])))


class LargeScale:
    """ḡ of pairs from where their ends are; what is drawn is drawn once per unordered pair."""

    def __init__(self, radio: Radio, seed: int) -> None:
        self.radio = radio
        self.seed = seed
        self._los_ranks: dict[tuple[int, int], float] = {}
        self._fields: dict[tuple[int, int], ShadowingField] = {}
        try:
            mean_gain(0.0, radio.path_loss, radio.carrier_hz)
        except ValueError as error:
            raise ScenarioError(f"radio.path_loss: {error}") from error

    def gains(
        self,
        links: Sequence[tuple[int, int]] | NDArray[np.int64],
        here_m: FloatArray,
        there_m: FloatArray,
    ) -> FloatArray:
        """ḡ (L, …) from the positions (L, …, 2) of the senders and of the receivers, in m.

        Lines of sight come from the stream ("los", i, j) and shadowing from ("shadowing", i, j)
        with i < j, so that both directions see the same.
        """
        distances = apart_m(here_m, there_m)
        path_loss, carrier_hz = self.radio.path_loss, self.radio.carrier_hz
        if path_loss.model == "d2d_outdoor":
            ranks = np.array([self._los_rank(*link) for link in _pairs(links)])
            ranks = ranks.reshape(-1, *(1,) * (distances.ndim - 1))
            gains = mean_gain(distances, path_loss, carrier_hz, ranks)
        else:
            gains = mean_gain(distances, path_loss, carrier_hz)
        if self.radio.shadowing.sigma_db > 0.0:
            for k, (sender, receiver) in enumerate(_pairs(links)):
                ends = here_m[k], there_m[k]
                low, high = ends if sender < receiver else ends[::-1]
                gains[k] *= db_to_ratio(-self._field(sender, receiver).loss_db(low, high))
        return gains

    @property
    def nearest_m(self) -> float:
        """The distance below which the path loss depends on it no more."""
        path_loss = self.radio.path_loss
        return MINIMUM_M if path_loss.model == "d2d_outdoor" else path_loss.minimum_m

    @property
    def smooth_m(self) -> float:
        """A way on which shadowing hardly changes: its steepest waves are some 100 times shorter
        than its decorrelation."""
        shadowing = self.radio.shadowing
        return shadowing.decorrelation_m / 1000.0 if shadowing.sigma_db > 0.0 else math.inf

    def sees(self, links: Sequence[tuple[int, int]], distances_m: FloatArray) -> NDArray[np.bool_]:
        """Whether pairs have a line of sight (L, T) at distances (L, T) in m; by path losses that
        know none, none has."""
        if self.radio.path_loss.model != "d2d_outdoor":
            return np.zeros(distances_m.shape, dtype=np.bool_)
        ranks = np.array([self._los_rank(*link) for link in links])
        return np.asarray(ranks[:, None] < los_probability(distances_m))

    def _los_rank(self, first: int, second: int) -> float:
        key = pair(first, second)
        if key not in self._los_ranks:
            self._los_ranks[key] = float(stream(self.seed, "los", *key).random())
        return self._los_ranks[key]

    def _field(self, first: int, second: int) -> ShadowingField:
        key = pair(first, second)
        if key not in self._fields:
            shadowing = self.radio.shadowing
            self._fields[key] = ShadowingField.draw(
                stream(self.seed, "shadowing", *key),
                sigma_db=shadowing.sigma_db,
                decorrelation_m=shadowing.decorrelation_m,
            )
        return self._fields[key]


def _pairs(links: Sequence[tuple[int, int]] | NDArray[np.int64]) -> Sequence[tuple[int, int]]:
    """With Python's own integers, by which streams are named."""
    return links.tolist() if isinstance(links, np.ndarray) else links
