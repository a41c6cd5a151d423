"""`none`: nobody talks to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from cosim.methods.topology.slot import Edges, Topology


class NoExchange(Topology):
    """Nobody talks to anybody."""

    graph: Literal["none"] = "none"
    silent: ClassVar[bool] = True

    def most_receivers(self, others: int) -> int:
        """0."""
        return 0

    def edges(self, devices: Sequence[int], *_: Any) -> Edges:
        """None."""
        return []
