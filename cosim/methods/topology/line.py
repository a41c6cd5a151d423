"""`line`: a chain in the order of the ids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

from cosim.methods.topology.slot import Edges, Topology


class Line(Topology):
    """Each device exchanges with the one before and the one after it; the ring without its last
    edge."""

    graph: Literal["line"] = "line"

    def most_receivers(self, others: int) -> int:
        """Two."""
        return min(2, others)

    def edges(self, devices: Sequence[int], *_: Any) -> Edges:
        """Each with the next."""
        return list(itertools.pairwise(devices))
