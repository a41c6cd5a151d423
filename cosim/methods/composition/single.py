"""`single`: a device answers with its own adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.chosen import Chosen
from cosim.methods.composition.slot import Composition
from cosim.methods.expert import Expert
from cosim.methods.state import DeviceState


class Single(Composition):
    """Nobody else is asked."""

    name: Literal["single"] = "single"
    asks_experts: ClassVar[bool] = False

    def refuses(self, method: Chosen) -> str | None:
        """Experts that are only kept apart."""
        aggregation = method.aggregation
        if aggregation.keeps_experts and not aggregation.averages:
            return (
                f"aggregation {aggregation} keeps experts apart, and composition 'single' asks "
                "none but the own one: use 'gate', 'uniform', 'oracle' or 'ranks'"
            )
        return None

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """The device's adapter."""
        return Expert((own.adapter,))
