"""What a part sees of the method that it is chosen for."""

from __future__ import annotations

from typing import Protocol

from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.codec.slot import Codec
from cosim.methods.composition.slot import Composition
from cosim.methods.data.slot import Data
from cosim.methods.expansion.slot import Expansion
from cosim.methods.projection.slot import Projection
from cosim.methods.schedule.slot import Schedule
from cosim.methods.sending.slot import Sending
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.slot import Weights


class Chosen(Protocol):
    """What is chosen is one part for each slot."""

    @property
    def projection(self) -> Projection:
        """A."""

    @property
    def expansion(self) -> Expansion:
        """B and its mask."""

    @property
    def topology(self) -> Topology:
        """Who may hear whom."""

    @property
    def schedule(self) -> Schedule:
        """When a round begins."""

    @property
    def sending(self) -> Sending:
        """When a device speaks."""

    @property
    def codec(self) -> Codec:
        """How values become bits."""

    @property
    def weighing(self) -> Weights:
        """How much each message counts."""

    @property
    def aggregation(self) -> Aggregation:
        """What becomes of what was heard."""

    @property
    def composition(self) -> Composition:
        """Which experts answer."""

    @property
    def data(self) -> Data:
        """Whose rows an adapter learns from."""
