"""`ring`: one circle in the order of the ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from cosim.methods.topology.slot import Edges, Topology


class Ring(Topology):
    """Each device exchanges with the one before and the one after it."""

    graph: Literal["ring"] = "ring"

    def most_receivers(self, others: int) -> int:
        """Two."""
        return min(2, others)

    def edges(self, devices: Sequence[int], *_: Any) -> Edges:
        """Each with the next, the last with the first."""
        if len(devices) < 2:
            return []
        return list(zip(devices, [*devices[1:], devices[0]], strict=True))
