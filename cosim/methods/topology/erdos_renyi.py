"""`erdos_renyi`: every pair is joined with one probability, apart from all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.methods.topology.meeting import Meeting
from cosim.methods.topology.slot import Edges
from cosim.topology.link_power import LinkNeed


class ErdosRenyi(Meeting):
    """A graph G(n, p) is drawn, anew every round or once for all rounds."""

    graph: Literal["erdos_renyi"] = "erdos_renyi"
    redraw: bool = Field(
        True, description="a new graph every round; false: one for all rounds, whoever is there"
    )

    @property
    def static(self) -> bool:
        """As the scenario says."""
        return not self.redraw

    def most_receivers(self, others: int) -> int:
        """All others, where chance has it."""
        return others if self.probability > 0 else 0

    def edges(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
        need: LinkNeed | None,
    ) -> Edges:
        """The pairs that meet."""
        ids = sorted(devices)
        pairs = self._met(devices, random, positions_m).tolist()
        return [(ids[low], ids[high]) for low, high in pairs]
