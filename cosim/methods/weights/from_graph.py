"""What weights that a graph gives have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard
from cosim.methods.weights.among_neighbours import AmongNeighbours


class FromGraph(AmongNeighbours):
    """Weights from a graph give a pair one share, the same from both ends, and a device the rest.

    Over a round in which every message arrives they are symmetric and doubly stochastic: the mean
    over all devices stays. A message that does not arrive breaks that where the one in the other
    direction does, but for `mutual`: then neither counts.
    """

    symmetric: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """Aggregations that average nothing, whatever is absent."""
        if not method.aggregation.averages:
            return f"weights '{self.word()}' are about aggregations that average"
        return super().refuses(method)

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """As where the device hears all of its neighbours, who have so many of their own."""
        senders = (part.message.device for part in heard)
        own = tuple(sender for sender in senders if sender != device)
        graph = {member: (member,) * count for member, count in degrees.items()}
        return self.within(device, heard, {**graph, device: own} if graph else {})
