"""What weights are asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from cosim.methods.message import Graph, Heard
from cosim.methods.part import Part


class Weights(Part):
    """Weights say how much each message counts in a mixture."""

    slot: ClassVar[str] = "weights"
    # Whether the shares sum to 1 over what was heard.
    renormalised: ClassVar[bool] = True
    # Whether it looks at the degrees of the round's graph; else it is given none.
    asks_degrees: ClassVar[bool] = False
    # Whether it looks at all of that graph, and not at the device and whom it hears alone.
    asks_graph: ClassVar[bool] = False
    # Whether two devices that hear each other count for each other the same.
    symmetric: ClassVar[bool] = False

    @property
    def asks_neighbours(self) -> bool:
        """Whether it looks at who the device's own neighbours are, heard or not."""
        return self.asks_degrees

    @property
    def alike(self) -> bool:
        """Whether all that is fresh weighs the same, whoever said it."""
        return False

    @property
    def mutual(self) -> bool:
        """Whether a message counts only where the device's own of that turn arrived at its
        sender, which a device knows of every message at its end."""
        return False

    @abstractmethod
    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """w_j ≥ 0 of each message heard, the device's own among them, freshness included."""

    def within(
        self,
        device: int,
        heard: Sequence[Heard],
        graph: Graph,
        rows: Sequence[float] | None = None,
    ) -> list[float]:
        """w_j of each message heard in the round's graph: by default they hang on its degrees.

        rows: training rows of all devices by their ids; None: as many of each.
        """
        degrees = {member: len(others) for member, others in graph.items()}
        return self.of(device, heard, degrees)

    def total(self, weights: Sequence[float], all_rows: float) -> float:
        """What w_j is divided by; all_rows: training rows of all devices."""
        return sum(weights)
