"""The part of the channel that does not fade: path loss, line of sight and shadowing of pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cosim.errors import OutsideError, ScenarioError
from cosim.physics.decibel import db_to_ratio
from cosim.physics.shadowing import ShadowingField, losses_db
from cosim.randomness import first_uniforms, pair, stream
from cosim.scenario.outside.path_loss import PathLoss as OutsidePathLoss
from cosim.scenario.radio import Radio
from cosim.simulation.links.mean_gain import mean_gain, nearest_m, sight_probability

FloatArray = NDArray[np.float64]

# Draws kept at most, the last used: 2 MiB of ranks and 4 MiB of fields. What is left out is drawn
# again from its stream, to the same numbers.
_RANKS, _FIELDS = 1 << 14, 300
# Links whose shadowing at one place is told at once; no field is kept for that. The ranks of more
# links than these at once are not kept either.
_BLOCK = 64


def apart_m(here_m: FloatArray, there_m: FloatArray) -> FloatArray:
    """Distances (…) of places (…, 2), in m."""
    apart = there_m - here_m
    return np.asarray(np.sqrt(np.square(apart[..., 0]) + np.square(apart[..., 1])))


class LargeScale:
    """The large scale gives the mean gains ḡ of pairs by where their ends are; what is drawn is
    drawn once per unordered pair."""

    def __init__(self, radio: Radio, seed: int) -> None:
        self.radio = radio
        self.seed = seed
        self._los_rank = lru_cache(_RANKS)(self._drawn_rank)
        self._field = lru_cache(_FIELDS)(self._drawn_field)
        try:
            mean_gain(0.0, radio.path_loss, radio.carrier_hz)
        except OutsideError:
            raise
        except ValueError as error:
            raise ScenarioError(f"radio.path_loss: {error}") from error
        self._has_sight = sight_probability(np.zeros(1), radio.path_loss) is not None

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
        if self._has_sight:
            ranks = self._los_ranks(_pairs(links)).reshape(-1, *(1,) * (distances.ndim - 1))
            gains = mean_gain(distances, path_loss, carrier_hz, ranks)
        else:
            gains = mean_gain(distances, path_loss, carrier_hz)
        if self.radio.shadowing.sigma_db > 0.0:
            gains *= db_to_ratio(-self._shadows_db(_pairs(links), here_m, there_m))
        return gains

    @property
    def nearest_m(self) -> float:
        """The distance below which the path loss depends on it no more."""
        return nearest_m(self.radio.path_loss)

    @property
    def gradual(self) -> bool:
        """Whether the path loss surely changes little on a way that is a small part of the
        distance; one from outside may have fades of its own, as two rays have."""
        return not isinstance(self.radio.path_loss, OutsidePathLoss)

    @property
    def smooth_m(self) -> float:
        """A way on which shadowing hardly changes, a thousandth of its decorrelation: there it has
        a standard deviation of σ·√(2/1000)."""
        shadowing = self.radio.shadowing
        return shadowing.decorrelation_m / 1000.0 if shadowing.sigma_db > 0.0 else math.inf

    def sees(self, links: Sequence[tuple[int, int]], distances_m: FloatArray) -> NDArray[np.bool_]:
        """Whether pairs have a line of sight (L, T) at distances (L, T) in m; by path losses that
        know none, none has."""
        probability = sight_probability(distances_m, self.radio.path_loss)
        if probability is None:
            return np.zeros(distances_m.shape, dtype=np.bool_)
        return np.asarray(self._los_ranks(links)[:, None] < probability)

    def _shadows_db(
        self, links: Sequence[tuple[int, int]], here_m: FloatArray, there_m: FloatArray
    ) -> FloatArray:
        """Losses (L, …) in dB; a link that is at one place only does not keep its field."""
        shape = here_m.shape[:-1]
        first, second = np.array(links, dtype=np.int64).reshape(-1, 2).T
        swapped = (first > second).reshape(-1, *(1,) * (here_m.ndim - 1))
        low_m, high_m = np.where(swapped, there_m, here_m), np.where(swapped, here_m, there_m)
        losses = np.empty(shape)
        if losses.size > len(links):
            for k, link in enumerate(links):
                losses[k] = self._field(*pair(*link)).loss_db(low_m[k], high_m[k])
            return losses
        low_m, high_m = low_m.reshape(-1, 2), high_m.reshape(-1, 2)
        flat = losses.reshape(-1)
        shadowing = self.radio.shadowing
        for start in range(0, len(links), _BLOCK):
            part = slice(start, start + _BLOCK)
            flat[part] = losses_db(
                [stream(self.seed, "shadowing", *pair(*link)) for link in links[part]],
                low_m[part],
                high_m[part],
                sigma_db=shadowing.sigma_db,
                decorrelation_m=shadowing.decorrelation_m,
            )
        return losses

    def _los_ranks(self, links: Sequence[tuple[int, int]]) -> FloatArray:
        """(L,) in [0, 1); of many links at once none is kept."""
        pairs = [pair(*link) for link in links]
        if len(pairs) > _BLOCK:
            return first_uniforms(self.seed, "los", pairs)
        return np.array([self._los_rank(*ends) for ends in pairs])

    def _drawn_rank(self, low: int, high: int) -> float:
        return float(stream(self.seed, "los", low, high).random())

    def _drawn_field(self, low: int, high: int) -> ShadowingField:
        shadowing = self.radio.shadowing
        return ShadowingField.draw(
            stream(self.seed, "shadowing", low, high),
            sigma_db=shadowing.sigma_db,
            decorrelation_m=shadowing.decorrelation_m,
        )


def _pairs(links: Sequence[tuple[int, int]] | NDArray[np.int64]) -> Sequence[tuple[int, int]]:
    """With Python's own integers, by which streams are named."""
    return links.tolist() if isinstance(links, np.ndarray) else links
