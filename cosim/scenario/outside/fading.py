"""A fading that an installed package brings."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from cosim.scenario.outside.entry_points import FADING
from cosim.scenario.outside.section import OutsideSection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

Fade: TypeAlias = "Callable[[FloatArray, FloatArray], FloatArray | float]"
"""The power gain |z|² ≥ 0 of one pair, dimensionless, from times (T,) in s since the run's start
and the path lengths (2, T) in m that its ends have travelled until then: (T,), or one number for
all. It is asked for any times, again and in any order, and answers by them alone."""


class Fading(OutsideSection):
    """A fading moves the gain of a pair of devices around its mean. It is `cosim.Fading`.

    An entry point `cosim.fading` names a subclass. Its |z|² should have the mean 1, since the gain
    is h = ḡ·|z|². Both directions of a pair have the same.
    """

    group: ClassVar[str] = FADING

    per_round: ClassVar[bool] = True
    """True: |z|² is constant in a round, and a pair draws anew in each. False: a pair draws once
    for the whole run, and |z|² moves with time or with the ways of its ends."""

    @abstractmethod
    def draw(self, random: np.random.Generator, carrier_hz: float) -> Fade:
        """The fading of one pair, all of whose draws are made now, from the pair's own stream:
        ("fading", i, j, round) where it is constant in a round, else ("fading", i, j)."""

    def slot_s(self, coherence_s: float) -> float:
        """For how long, in s, |z|² counts as constant; more than 0, and ∞ where it never changes.

        coherence_s: Clarke's coherence time of the pair at its ends' greatest speeds, ∞ at rest.
        """
        return math.inf if self.per_round else coherence_s / 4.0
