"""`laplacian`: one weight for all edges of a graph, by its largest eigenvalue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from cosim.methods.message import Graph
from cosim.methods.weights.from_graph import FromGraph
from cosim.topology.mixing import largest_laplacian_eigenvalue


class Laplacian(FromGraph):
    """The weights are W = I − 2L/(3·λmax(L)), L of the round's graph (Dec-LoRA, arXiv 2501.15361).

    A device must know λmax, and so the whole graph: as it does of a static one. Nothing is charged
    for that.
    """

    name: Literal["laplacian"] = "laplacian"
    asks_degrees: ClassVar[bool] = True
    asks_graph: ClassVar[bool] = True

    def share(
        self, device: int, other: int, graph: Graph, rows: Sequence[float] | None = None
    ) -> float:
        """2/(3·λmax), whoever the two are; 0 in a graph without edges, where none is heard in
        time."""
        largest = _largest(tuple(graph.items()))
        return 2.0 / (3.0 * largest) if largest > 0 else 0.0


@lru_cache(maxsize=4)
def _largest(graph: tuple[tuple[int, tuple[int, ...]], ...]) -> float:
    """λmax(L), asked by every device of a round."""
    return largest_laplacian_eigenvalue(dict(graph))
