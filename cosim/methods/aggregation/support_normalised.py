"""`support_normalised`: a mean by position, out of which each contributor's expert is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.averages import support_normalised_mean, weighted_mean
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.message import Heard, Said, as_transmitted
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor

    from cosim.methods.projection.slot import Projection


class SupportNormalised(Aggregation):
    """B̄ is a mean by position, and B̄⊙M_j with A_j is j's expert (eq. 10 and 24 of arXiv
    2602.20492)."""

    name: Literal["support_normalised"] = "support_normalised"
    readback: Literal["own_support", "whole"] = Field(
        "own_support",
        description="what each A_j meets: B̄ on j's support; or all of B̄, as eq. 24 is printed",
    )
    keeps_experts: ClassVar[bool] = True
    unpadded: ClassVar[str | None] = (
        "divides each value by those who train it, and takes padding for trained"
    )
    own_weights: ClassVar[str] = "uniform"
    printed: ClassVar[dict[str, Any]] = {"readback": "whole"}

    def refuses(self, method: Chosen) -> str | None:
        """An A that moves."""
        if method.projection.moves:
            return (
                "aggregation 'support_normalised' reads each expert back through its frozen A; "
                f"projection {method.projection} has none: use 'mean' or 'stacked'"
            )
        return None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B̄ on the device's support, and every contributor's expert in the bank.

        Devices that heard the same share one B̄ and its experts, which are as they would be
        transmitted, so that a bank is the same in every cluster.
        """
        total, experts = at.shared(lambda: self._mixed(heard, at))
        support = own.adapter.support
        return own.with_adapter(values=total if support is None else total[support]).hold(experts)

    def _mixed(self, heard: Sequence[Heard], at: Mixing) -> tuple[Tensor, Mapping[int, Adapter]]:
        size = at.layout.expansion_size
        if at.renormalised:
            total = support_normalised_mean(heard, at.weights, size)
        else:
            mean, _ = weighted_mean(heard, at.weights, at.total, size)
            assert mean is not None, "a message without B"
            total = mean
        on_air = as_transmitted(total, at.bits_per_value)
        experts = {}
        for message in (part.message for part in heard):
            support = None if self.readback == "whole" else message.support
            values = on_air if support is None else on_air[support]
            experts[message.device] = Adapter(
                values, support, message.projection, round=message.round
            )
        return total, experts

    def offers(self, experts: Sequence[Adapter], projection: Projection) -> list[tuple[Said, ...]]:
        """Each; where experts are read back whole, what is not 0 of the average, once."""
        if self.readback == "own_support":
            return super().offers(experts, projection)
        said, averages = [], set()
        for expert in experts:
            values, place = expert.values, expert.values.data_ptr()
            news = values[:0] if place in averages else values[values != 0]
            said.append(replace(expert, values=news))
            averages.add(place)
        return super().offers(said, projection)
