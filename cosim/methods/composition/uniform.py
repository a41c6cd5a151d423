"""`uniform`: all experts answer every question, each with the same share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from cosim.methods.composition.banked import Banked
from cosim.methods.expert import Expert
from cosim.methods.state import DeviceState


class UniformMerge(Banked):
    """All experts of the bank answer, ΔW = Σ_j w·B_j·A_j: adapters merged by concatenation."""

    name: Literal["uniform"] = "uniform"
    weight: float | None = Field(
        None, gt=0, le=100, description="of each expert's output; null: total/J of J experts"
    )
    total: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="sum of the weights where none is given, each of which is 1 at most",
    )
    together: ClassVar[bool] = True

    def share(self, experts: int) -> float:
        """The weight of each of J experts: min(1, total/J), or the one that is given."""
        return self.weight if self.weight is not None else min(1.0, self.total / experts)

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """All experts of the bank, with their share."""
        expert = super().expert(own, task, tasks)
        return replace(expert, share=self.share(len(expert.owners)) if expert.owners else None)
