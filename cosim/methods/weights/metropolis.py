"""`metropolis`: the weights of Metropolis and Hastings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.message import Graph
from cosim.methods.weights.from_graph import FromGraph


class Metropolis(FromGraph):
    """The weights are w_ij = 1/(1 + max(n_i, n_j)) for n neighbours, the rest for the device
    itself."""

    name: Literal["metropolis"] = "metropolis"
    asks_degrees: ClassVar[bool] = True

    def share(
        self, device: int, other: int, graph: Graph, rows: Sequence[float] | None = None
    ) -> float:
        """1/(1 + max(n_i, n_j)); who is heard from an earlier graph counts by the receiver's."""
        own = len(graph[device])
        return 1.0 / (1 + max(own, len(graph.get(other, graph[device]))))
