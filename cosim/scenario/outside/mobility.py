"""A movement that an installed package brings."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from cosim.scenario.outside.entry_points import MOBILITY
from cosim.scenario.outside.section import OutsideSection

if TYPE_CHECKING:
    import numpy as np

    from cosim.mobility.area import Area
    from cosim.mobility.trajectory import Trajectory


class Mobility(OutsideSection):
    """A mobility gives each device of a group its path. It is `cosim.Mobility`.

    An entry point `cosim.mobility` names a subclass.
    """

    group: ClassVar[str] = MOBILITY

    @abstractmethod
    def trajectory(self, area: Area, random: np.random.Generator) -> Trajectory:
        """The path of one device; what it must answer stands in `cosim.mobility.trajectory`.

        area: a `Disc` (radius_m) or a `Square` (side_m) around the origin, with `uniform(random,
        n)` for places (n, 2) in m. random: the device's own stream, ("mobility", device), which
        only the path may go on drawing from. Straight legs are a `PiecewiseLinear` over a
        generator of them, which is quick; any other path is asked at all the times needed.
        """
