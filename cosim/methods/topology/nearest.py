"""`nearest`: the nearest pairs are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.methods.topology.limited import Limited
from cosim.methods.topology.slot import Edges
from cosim.topology.link_power import LinkNeed
from cosim.topology.nearest import nearest_edges


class Nearest(Limited):
    """The nearest pairs are joined, by where the devices are when the round is planned.

    All pairs within range are taken nearest first, equally near ones by ids, and each is joined
    that leaves both of its devices within the degree.
    """

    graph: Literal["nearest"] = "nearest"

    @property
    def needs_positions(self) -> bool:
        """True."""
        return True

    def edges(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
        need: LinkNeed | None,
    ) -> Edges:
        """Among the devices in the order of their ids; nothing is drawn."""
        ids = sorted(devices)
        pairs = nearest_edges(self._places_m(devices, positions_m), self.degree, self.range_m)
        return [(ids[low], ids[high]) for low, high in pairs]
