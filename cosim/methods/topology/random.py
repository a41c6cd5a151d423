"""`random`: a new graph every round, uniform within a degree and what the links carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.methods.topology.limited import Limited
from cosim.methods.topology.slot import Edges
from cosim.topology.link_power import LinkNeed
from cosim.topology.random_graph import random_edges


class RandomGraph(Limited):
    """A new uniform graph each round lets no device exceed the given degree or its power.

    All pairs within range are taken in a uniform order, and each is joined that leaves both of
    its devices within the degree and, with `limit_by_links`, able to send to all of their
    neighbours: where two do not fit a device has one, and none where none does.
    """

    graph: Literal["random"] = "random"
    limit_by_links: bool = Field(
        True,
        description="join only pairs whose links p_max carries by Γ beside the devices' others, by "
        "Lemma 1 with its margin, or by equal shares with max_power, at the mean gains of the "
        "moment; false: whatever they carry",
    )

    @property
    def needs_positions(self) -> bool:
        """Where there is a range."""
        return self.range_m is not None

    @property
    def limited(self) -> bool:
        """As the scenario says."""
        return self.limit_by_links

    def edges(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
        need: LinkNeed | None,
    ) -> Edges:
        """Among the devices in the order of their ids."""
        ids, need = sorted(devices), need if self.limit_by_links else None
        places_m = None
        if self.needs_positions or (need is not None and positions_m is not None):
            places_m = self._places_m(devices, positions_m)
        pairs = random_edges(len(ids), self.degree, random, places_m, self.range_m, need)
        return [(ids[low], ids[high]) for low, high in pairs]
