"""What topologies whose pairs meet by chance have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cosim.methods.topology.slot import Topology
from cosim.topology.distance import squared_m2
from cosim.topology.meetings import meetings


class Meeting(Topology):
    """A topology of meetings joins pairs by chance, and none beyond a range, whatever their links
    carry."""

    graph: str
    probability: float = Field(
        0.5, ge=0, le=1, description="with which each pair of devices meets, apart from the others"
    )
    range_m: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="devices farther apart than this are not joined; null: all may be",
    )

    @property
    def needs_positions(self) -> bool:
        """Where there is a range."""
        return self.range_m is not None

    @property
    def farthest_m(self) -> float | None:
        """The range."""
        return self.range_m

    def _met(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
    ) -> NDArray[np.int64]:
        """Pairs (P, 2) that meet within the range, as positions in the ascending ids."""
        pairs = meetings(sorted(devices), self.probability, random)
        if self.range_m is None:
            return pairs
        places_m = self._places_m(devices, positions_m)
        return pairs[squared_m2(places_m, pairs[:, 0], pairs[:, 1]) <= self.range_m**2]
