"""What topologies that limit a device's neighbours have in common."""

from __future__ import annotations

from pydantic import Field

from cosim.methods.topology.slot import Topology


class Limited(Topology):
    """A limited topology joins a device with so many others at most, and with none beyond a
    range."""

    graph: str
    degree: int = Field(2, ge=1, description="most neighbours of a device in a round")
    range_m: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="devices farther apart than this are not joined; null: all may be",
    )

    @property
    def farthest_m(self) -> float | None:
        """The range."""
        return self.range_m

    def most_receivers(self, others: int) -> int:
        """The degree."""
        return min(self.degree, others)
