"""Who exchanges with whom in a round, and in which groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cosim.topology.graphs import Neighbours, components


@dataclass(frozen=True)
class Plan:
    """A round's graph over the devices that take part."""

    round: int
    graph: Neighbours

    def neighbours(self, device: int) -> tuple[int, ...]:
        """Whom a device exchanges with; nobody, where the plan does not know it."""
        return self.graph.get(device, ())

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """Connected groups, in the order of their smallest member."""
        return components(self.graph)

    @cached_property
    def cluster_of(self) -> dict[int, tuple[int, tuple[int, ...]]]:
        """The number and the members of every device's group."""
        return {
            device: (number, group) for number, group in enumerate(self.groups) for device in group
        }
