"""What weights that look at a device's neighbours do about those that were not heard."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from cosim.methods.chosen import Chosen
from cosim.methods.message import Graph, Heard
from cosim.methods.weights.slot import Weights


class AmongNeighbours(Weights):
    """Weights among neighbours give each of them a share, whether it was heard or not.

    With `mutual` a device must know which of its messages arrived, as the sender of a transfer here
    does at its end: acknowledgements are free and certain. On the air one would be a bit an edge
    and direction, besides its headers.
    """

    name: str
    absent: Literal["keep_own", "renormalise", "mutual"] = Field(
        "keep_own",
        description="the share of a neighbour that was not heard goes to the device itself, or to "
        "all that it mixes in proportion; mutual: to itself, also where the neighbour was heard, "
        "and has not heard it by Γ in this turn",
    )

    @property
    def mutual(self) -> bool:
        """As it is set."""
        return self.absent == "mutual"

    @property
    def asks_neighbours(self) -> bool:
        """Where the share of one that was not heard is the device's own."""
        return self.absent != "renormalise"

    def refuses(self, method: Chosen) -> str | None:
        """Absent ones where nothing is averaged; and mutual ones where nobody waits to be heard."""
        if self.asks_neighbours and not method.aggregation.averages:
            return (
                f"weights '{self.word()}' with absent: {self.absent} are about aggregations that "
                "average"
            )
        if self.mutual and not method.schedule.waits:
            return (
                f"weights '{self.word()}' with absent: mutual count what both of two devices heard "
                f"in a turn, and with schedule {method.schedule} they share none: use schedule "
                "'synchronous' or 'cluster', or absent: keep_own"
            )
        if self.mutual and method.aggregation.remembers:
            return (
                f"weights '{self.word()}' with absent: mutual count nothing where a message was "
                f"lost, and aggregation {method.aggregation} what was said before: use absent: "
                "keep_own"
            )
        return None

    @abstractmethod
    def share(
        self, device: int, other: int, graph: Graph, rows: Sequence[float] | None = None
    ) -> float:
        """The share of a neighbour in what a device mixes; graph, rows: as of `within`."""

    def within(
        self,
        device: int,
        heard: Sequence[Heard],
        graph: Graph,
        rows: Sequence[float] | None = None,
    ) -> list[float]:
        """The shares times the freshness, and the device's own: what is left of 1."""
        senders = [part.message.device for part in heard]
        if device not in graph:
            graph = _complete(device, senders)
        shares = {
            part.message.device: self.share(device, part.message.device, graph, rows)
            * part.freshness
            for part in heard
            if part.message.device != device
        }
        others = shares
        if self.absent == "renormalise":
            neighbours = graph[device]
            others = {
                other: self.share(device, other, graph, rows) for other in neighbours
            } | shares
        # Several messages of earlier graphs may be more than a device has neighbours now.
        rest = max(0.0, 1.0 - sum(others.values()))
        return [shares.get(sender, rest) for sender in senders]


def _complete(device: int, senders: Sequence[int]) -> Graph:
    """The graph in which the device and those whom it heard all hear each other."""
    ids = sorted({device, *senders})
    return {member: tuple(other for other in ids if other != member) for member in ids}
