"""What weights that look at what was heard have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from cosim.methods.message import Graph, Heard
from cosim.methods.weights.among_neighbours import AmongNeighbours


class OfHeard(AmongNeighbours):
    """Weights of what was heard sum over that, or over a device and all of its neighbours.

    Rows of those that were not heard are known to all, as the paper's α are.
    """

    absent: Literal["renormalise", "keep_own", "mutual"] = Field(
        "renormalise",
        description="the share of a neighbour that was not heard goes to all that is mixed, or to "
        "the device itself; mutual: to itself, also where the neighbour was heard, and has not "
        "heard it by Γ in this turn",
    )

    @abstractmethod
    def amount(self, rows: float) -> float:
        """What a fresh message counts, from its sender's training rows."""

    def share(
        self, device: int, other: int, graph: Graph, rows: Sequence[float] | None = None
    ) -> float:
        """The neighbour's amount in that of the device and all of its neighbours."""
        members = sorted({device, *graph[device]})
        amounts = {id_: self.amount(rows[id_] if rows else 1.0) for id_ in members}
        return amounts[other] / sum(amounts.values())

    def within(
        self,
        device: int,
        heard: Sequence[Heard],
        graph: Graph,
        rows: Sequence[float] | None = None,
    ) -> list[float]:
        """The amounts of what was heard; shares where absent ones' are kept, of the device's
        neighbours and of whom it heard from an earlier graph."""
        if self.absent == "renormalise":
            return self.of(device, heard, {})
        senders = {part.message.device for part in heard}
        neighbours = tuple(sorted(senders.union(graph.get(device, ())) - {device}))
        return super().within(device, heard, {**graph, device: neighbours}, rows)
