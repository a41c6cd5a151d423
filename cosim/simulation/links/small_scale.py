"""The part of the channel that fades: |z|² of pairs, over the paths that both ends travel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.errors import OutsideError
from cosim.mobility.fleet import FleetMotion
from cosim.physics.fading import (
    SumOfSinusoids,
    block_power_gain,
    clarke_power_gains,
    clarke_power_gains_at_even_steps,
)
from cosim.randomness import pair, stream
from cosim.scenario.outside.fading import Fade
from cosim.scenario.outside.fading import Fading as OutsideFading
from cosim.scenario.radio import BlockFading, ClarkeFading, NoFading, Radio

FloatArray = NDArray[np.float64]

# Beyond that, all are drawn again when they come back: some 100 MB of phases at 64 sinusoids.
_PAIRS_KEPT = 1 << 16


class SmallScale:
    """The small scale gives the fading |z|² of pairs; each has one reciprocal stream, ("fading", i,
    j) with i < j."""

    def __init__(self, radio: Radio, fleet: FleetMotion, seed: int) -> None:
        self.radio = radio
        self.seed = seed
        self._fleet = fleet
        self._drawn: dict[tuple[int, int], SumOfSinusoids] = {}
        self._fades: dict[tuple[int, ...], Fade] = {}

    def gains(
        self, links: Sequence[tuple[int, int]], times_s: FloatArray, rounds: Sequence[int]
    ) -> FloatArray:
        """|z|² (L, T) at times (T,), or (L, T) of each link: 1 without fading, one draw a pair and
        round for block, Clarke otherwise, quickest where the times are evenly spaced; `rounds` (L,)
        tells the blocks."""
        fading = self.radio.fading
        if isinstance(fading, NoFading):
            return np.ones((len(links), times_s.shape[-1]))
        pairs = [pair(*link) for link in links]
        if isinstance(fading, OutsideFading):
            return self._outside(fading, pairs, times_s, rounds)
        if isinstance(fading, BlockFading):
            values = [
                float(block_power_gain(stream(self.seed, "fading", *ends, round_)))
                for ends, round_ in zip(pairs, rounds, strict=True)
            ]
            return np.repeat(np.array(values)[:, None], times_s.shape[-1], axis=1)
        return self._clarke(fading, pairs, times_s)

    @property
    def moves(self) -> bool:
        """Whether |z|² may change within a round."""
        fading = self.radio.fading
        if isinstance(fading, OutsideFading):
            return not fading.per_round
        return isinstance(fading, ClarkeFading)

    def slots_s(self, coherence_s: FloatArray) -> FloatArray:
        """For how long (L,) in s |z|² counts as constant, by the coherence times (L,) of links."""
        fading = self.radio.fading
        if isinstance(fading, ClarkeFading):
            return coherence_s / fading.slots_per_coherence_time
        assert isinstance(fading, OutsideFading), "no other moves within a round"
        slots = np.array(
            [fading.slot_s(time_s) for time_s in coherence_s.tolist()], dtype=np.float64
        )
        if not (slots > 0.0).all():
            raise OutsideError(f"radio.fading: {fading} asks for slots of {slots.min():g} s")
        return slots

    def _outside(
        self,
        fading: OutsideFading,
        pairs: Sequence[tuple[int, int]],
        times_s: FloatArray,
        rounds: Sequence[int],
    ) -> FloatArray:
        """By a fading from outside; raises OutsideError where its answer is no power gain."""
        if len(self._fades) > _PAIRS_KEPT:
            self._fades.clear()
        travelled = self._fleet.travelled_m(np.array(pairs), times_s[..., None, :])
        gains = np.empty((len(pairs), times_s.shape[-1]))
        times_of = np.broadcast_to(times_s, gains.shape)
        for link, (ends, round_) in enumerate(zip(pairs, rounds, strict=True)):
            name = (*ends, round_) if fading.per_round else ends
            if name not in self._fades:
                random = stream(self.seed, "fading", *name)
                self._fades[name] = fading.draw(random, self.radio.carrier_hz)
            answer = np.asarray(
                self._fades[name](times_of[link], travelled[link]), dtype=np.float64
            )
            if answer.shape not in ((), times_of[link].shape):
                raise OutsideError(
                    f"radio.fading: {fading} answers {times_s.shape[-1]} times with the shape "
                    f"{answer.shape}"
                )
            gains[link] = answer
        possible = np.isfinite(gains) & (gains >= 0.0)
        if not possible.all():
            raise OutsideError(
                f"radio.fading: {fading} has a power gain of {gains[~possible][0]:g}; expected "
                "finite ones, at least 0"
            )
        return gains

    def _clarke(
        self, fading: ClarkeFading, pairs: Sequence[tuple[int, int]], times_s: FloatArray
    ) -> FloatArray:
        """Few pairs have an end that changes speed between the times; the others are evaluated
        from tables of phases."""
        fadings = self._draw(fading, pairs)
        ends = np.array(pairs)
        gains = np.empty((len(pairs), times_s.shape[-1]))
        first, step = self._fleet.steady_m(ends, times_s[..., None, :])
        steady = ~np.isnan(step).any(axis=1) & _evenly_spaced(times_s)
        of = np.flatnonzero(steady)
        if of.size:
            gains[of] = clarke_power_gains_at_even_steps(
                [fadings[k] for k in of.tolist()],
                *(first[of, 0], step[of, 0], first[of, 1], step[of, 1]),
                times_s.shape[-1],
            )
        if not steady.all():
            of = np.flatnonzero(~steady)
            times = times_s[of] if times_s.ndim == 2 else times_s
            travelled = self._fleet.travelled_m(ends[of], times[..., None, :])
            gains[of] = clarke_power_gains(
                [fadings[k] for k in of.tolist()], travelled[:, 0], travelled[:, 1]
            )
        return gains

    def _draw(self, fading: ClarkeFading, pairs: Sequence[tuple[int, int]]) -> list[SumOfSinusoids]:
        """The pairs' fading, drawn where it is not known."""
        if len(self._drawn) > _PAIRS_KEPT:
            self._drawn.clear()
        new = [ends for ends in dict.fromkeys(pairs) if ends not in self._drawn]
        fadings = SumOfSinusoids.draw_all(
            [stream(self.seed, "fading", *ends) for ends in new],
            carrier_hz=self.radio.carrier_hz,
            sinusoids=fading.sinusoids,
        )
        self._drawn.update(zip(new, fadings, strict=True))
        return [self._drawn[ends] for ends in pairs]


def _evenly_spaced(times_s: FloatArray) -> NDArray[np.bool_]:
    """Whether times (T,), or which times (L, T) of links, are equally far apart, up to the clock's
    rounding of them."""
    if times_s.shape[-1] == 1:
        return np.ones(times_s.shape[:-1], dtype=np.bool_)
    gaps = np.diff(times_s)
    rounding = 4.0 * np.spacing(times_s[..., -1])
    return np.asarray(np.ptp(gaps, axis=-1) <= 1e-6 * gaps[..., 0] + rounding)
