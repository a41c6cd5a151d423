"""`complete`: one cluster of all devices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from cosim.methods.topology.slot import Edges, Topology


class Complete(Topology):
    """Every device exchanges with every other: one cluster."""

    graph: Literal["complete"] = "complete"
    joins_all: ClassVar[bool] = True

    def most_receivers(self, others: int) -> int:
        """All others."""
        return others

    def edges(self, devices: Sequence[int], *_: Any) -> Edges:
        """All pairs."""
        return list(itertools.combinations(devices, 2))
