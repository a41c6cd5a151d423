"""`pairs`: devices meet two by two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.methods.topology.meeting import Meeting
from cosim.methods.topology.slot import Edges
from cosim.topology.link_power import LinkNeed
from cosim.topology.meetings import matching


class Pairs(Meeting):
    """A random matching is drawn every round: of the pairs that would meet, those of a uniform
    order whose two devices are still free."""

    graph: Literal["pairs"] = "pairs"

    def most_receivers(self, others: int) -> int:
        """One."""
        return min(1, others) if self.probability > 0 else 0

    def edges(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
        need: LinkNeed | None,
    ) -> Edges:
        """The matching of those that meet."""
        ids = sorted(devices)
        pairs = self._met(devices, random, positions_m)
        return [(ids[low], ids[high]) for low, high in matching(pairs, random)]
