"""Who exchanges with whom in a round, and in which groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cosim.methods.parts import unplayed
from cosim.methods.topologies import Clusters, Complete, Nearest, NoExchange, RandomGraph, Ring
from cosim.scenario.model import Scenario
from cosim.topology.graphs import Neighbours, components


@dataclass(frozen=True)
class Plan:
    """A plan says who exchanges with whom in a round.

    round: the round's number.
    graph: the neighbours of each device that takes part.
    """

    round: int
    graph: Neighbours

    def neighbours(self, device: int) -> tuple[int, ...]:
        """The devices with which a device exchanges; none, where the plan does not know it."""
        return self.graph.get(device, ())

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """The connected groups, in the order of their smallest member."""
        return components(self.graph)

    @cached_property
    def cluster_of(self) -> dict[int, tuple[int, tuple[int, ...]]]:
        """The number and the members of every device's group."""
        return {
            device: (number, group) for number, group in enumerate(self.groups) for device in group
        }


def receivers_at_most(scenario: Scenario) -> int:
    """The largest ‖u‖ that the recipe's topology gives a device."""
    others = scenario.device_count - 1
    match scenario.method.topology:
        case NoExchange():
            return 0
        case Ring():
            return min(2, others)
        case RandomGraph(degree=degree) | Nearest(degree=degree):
            return min(degree, others)
        case Complete() | Clusters():
            return others
        case other:
            unplayed("topology", other)
