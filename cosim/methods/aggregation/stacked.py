"""`stacked`: experts are kept as they arrive, and nothing is averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.layout import Layout
from cosim.methods.message import Heard
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload


class Stacked(Aggregation):
    """A bank holds what has been heard so far, as LoRI concatenates adapters (arXiv 2504.07448).

    Experts of any ranks lie beside each other, each of its owner's; ΔW of their sum has the sum of
    their ranks, and nothing is trimmed to the device's own.
    """

    name: Literal["stacked"] = "stacked"
    keeps_experts: ClassVar[bool] = True
    averages: ClassVar[bool] = False
    unpadded: ClassVar[str | None] = None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """Every expert as it arrived; a late one replaces nothing newer, nor one of its round."""
        fresh = {
            message.device: Adapter(
                message.values, message.support, message.projection, round=message.round
            )
            for message in (part.message for part in heard)
            if message.device not in own.bank or own.bank[message.device].round < message.round
        }
        return own.hold(fresh)

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """Nothing is computed."""
        return Workload.none()
