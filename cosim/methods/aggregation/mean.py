"""`mean`: B, and A where it is sent, become the weighted mean of what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard, Values, on_air
from cosim.methods.state import DeviceState


class Mean(Aggregation):
    """A device takes FedAvg's mean over its neighbours and itself (eq. 9-10 of arXiv 2602.20492,
    renormalised)."""

    name: Literal["mean"] = "mean"
    by_factor: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = None

    def refuses(self, method: Chosen) -> str | None:
        """An A of each device's own."""
        if method.projection.own:
            return (
                f"aggregation '{self.word()}' averages B matrices that multiply the same A; with "
                f"projection {method.projection} every device has another A: use "
                "'support_normalised' or 'stacked'"
            )
        return None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B on the device's support, and A, each where it is sent; else it stays as it is."""
        size, adapter = at.layout.expansion_size, own.adapter
        if (whole := with_own(own, heard, at)) is None:
            B, A = at.shared(lambda: weighted_mean(heard, at.weights, at.total, size))
        else:
            B, A = weighted_mean(whole, at.weights, at.total, size)
        if B is None:
            values = adapter.values
        else:
            values = B if adapter.support is None else B[adapter.support]
        return own.with_adapter(values=values, projection=adapter.projection if A is None else A)


def with_own(own: DeviceState, heard: Sequence[Heard], at: Mixing) -> list[Heard] | None:
    """What was heard, with the factors that others sent and the device did not added to its own
    message: it comes from another round than theirs. None where there are none such."""
    mine = next((part for part in heard if part.message.device == at.device), None)
    if mine is None:
        return None
    missing = []
    if not mine.message.sends_expansion and any(part.message.sends_expansion for part in heard):
        missing.append(Values("B", own.adapter.values))
    if "A" not in mine.message.by_name and any(part.message.sends_projection for part in heard):
        missing.append(Values("A", own.adapter.projection))
    if not missing:
        return None
    content = (*mine.message.content, *on_air(missing, at.bits_per_value))
    completed = replace(mine, message=replace(mine.message, content=content))
    return [completed if part is mine else part for part in heard]
