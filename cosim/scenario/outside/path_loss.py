"""A path loss that an installed package brings."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from cosim.scenario.outside.entry_points import PATH_LOSS
from cosim.scenario.outside.section import OutsideSection

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


class PathLoss(OutsideSection):
    """A path loss says what a link loses over its length. It is `cosim.PathLoss`.

    An entry point `cosim.path_loss` names a subclass. The loss is the mean one, before shadowing
    and fading. `loss_db` is all that one needs; heights of
    antennas and the like are its settings. `radio.shadowing` comes on top of any path loss, by its
    own σ and decorrelation distance. Losses may rise and fall with distance as they like: where
    ends move, slots are cut so that a loss changes by no more than 0.5 dB in one.
    """

    group: ClassVar[str] = PATH_LOSS

    minimum_m: float = Field(1.0, gt=0, description="nearer devices count as this far apart")

    @abstractmethod
    def loss_db(
        self, distance_m: FloatArray, carrier_hz: float, sees: NDArray[np.bool_]
    ) -> FloatArray:
        """The loss in dB, ≥ 0 and finite, at distances in m, ≥ `minimum_m`; the shape of both.

        distance_m: any shape. carrier_hz: in Hz. sees: where there is a line of sight, the same
        shape; all false for a path loss that knows none.
        """

    def los_probability(self, distance_m: FloatArray) -> FloatArray | None:
        """The probability of a line of sight at distances in m, in the same shape; None: the loss
        knows none.

        Each pair of devices draws one number in [0, 1) for the whole run, and sees where that is
        below the probability.
        """
        return None
