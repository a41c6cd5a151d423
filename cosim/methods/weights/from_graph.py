"""What weights that a graph gives have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.message import Graph, Heard
from cosim.methods.slots import Weights


class FromGraph(Weights):
    """Weights from a graph give a pair one share, the same from both ends, and a device the rest.

    Over a round in which every message arrives they are symmetric and doubly stochastic: the mean
    over all devices stays. A message that does not arrive breaks that, whatever is set here, where
    the one in the other direction does.
    """

    name: str
    absent: Literal["keep_own", "renormalise"] = Field(
        "keep_own",
        description="the share of a neighbour that was not heard goes to the device itself, or to "
        "all that it mixes in proportion",
    )

    def refuses(self, method: Chosen) -> str | None:
        """Aggregations that average nothing."""
        if not method.aggregation.averages:
            return f"weights '{self.word()}' are about aggregations that average"
        return None

    def share(self, device: int, other: int, graph: Graph) -> float:
        """The share of a neighbour in what a device mixes."""
        raise NotImplementedError

    def within(self, device: int, heard: Sequence[Heard], graph: Graph) -> list[float]:
        """The shares times the freshness, and the device's own: what is left of 1."""
        senders = [part.message.device for part in heard]
        if device not in graph:
            graph = _complete(device, senders)
        shares = {
            part.message.device: self.share(device, part.message.device, graph) * part.freshness
            for part in heard
            if part.message.device != device
        }
        others = shares
        if self.absent == "renormalise":
            neighbours = graph[device]
            others = {other: self.share(device, other, graph) for other in neighbours} | shares
        # Several messages of earlier graphs may be more than a device has neighbours now.
        rest = max(0.0, 1.0 - sum(others.values()))
        return [shares.get(sender, rest) for sender in senders]

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """As where the device hears all of its neighbours, who have so many of their own."""
        senders = (part.message.device for part in heard)
        own = tuple(sender for sender in senders if sender != device)
        graph = {member: (member,) * count for member, count in degrees.items()}
        return self.within(device, heard, {**graph, device: own} if graph else {})


def _complete(device: int, senders: Sequence[int]) -> Graph:
    """The graph in which the device and those whom it heard all hear each other."""
    ids = sorted({device, *senders})
    return {member: tuple(other for other in ids if other != member) for member in ids}
