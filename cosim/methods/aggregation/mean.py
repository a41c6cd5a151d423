"""`mean`: B, and A where it is sent, become the weighted mean of what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard
from cosim.methods.slots import Aggregation, Mixing
from cosim.methods.state import DeviceState


class Mean(Aggregation):
    """FedAvg's mean between neighbours (eq. 9-10 of arXiv 2602.20492, renormalised)."""

    name: Literal["mean"] = "mean"

    def refuses(self, method: Chosen) -> str | None:
        """An A of each device's own."""
        if method.projection.owner(0) != method.projection.owner(1):
            return (
                "aggregation 'mean' averages B matrices that multiply the same A; with projection "
                f"{method.projection} every device has another A: use 'support_normalised' or "
                "'stacked'"
            )
        return None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B on the device's support, and A where it is sent."""
        size = at.layout.expansion_size
        B, A = at.shared(lambda: weighted_mean(heard, at.weights, at.total, size))
        adapter = own.adapter
        return own.with_adapter(
            values=B if adapter.support is None else B[adapter.support],
            projection=adapter.projection if A is None else A,
        )
