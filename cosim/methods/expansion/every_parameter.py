"""`every_parameter`: the base model's own parameters are trained, and no adapter."""

from __future__ import annotations

from typing import ClassVar, Literal

from cosim.methods.chosen import Chosen
from cosim.methods.expansion.slot import Expansion
from cosim.methods.projection.slot import ALL_OR_NOTHING


class EveryParameter(Expansion):
    """ΔW is trained without its decomposition (eq. 2 of arXiv 2602.20492)."""

    name: Literal["every_parameter"] = "every_parameter"
    every_parameter: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """An A, experts, and rows that lie in one place."""
        if method.projection.exists:
            return ALL_OR_NOTHING
        if method.aggregation.keeps_experts or method.data.answered_with is not None:
            return (
                "expansion 'every_parameter' has one model a device and no experts: use "
                "aggregation 'mean' or 'none', and data 'own'"
            )
        return None
