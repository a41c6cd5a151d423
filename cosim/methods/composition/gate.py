"""`gate`: a sequence is routed by what the base model makes of its prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.calibration import Need
from cosim.methods.composition.banked import Banked
from cosim.methods.expert import Expert, Routing
from cosim.methods.message import Said, Values
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class Gate(Banked):
    """Experts weigh by the cosine of a prompt's features and their task's (eq. 27, corrected)."""

    name: Literal["gate"] = "gate"
    top_k: int = Field(2, ge=1, le=1000, description="experts that answer a sequence")
    temperature: float = Field(1.0, gt=0, le=1e3, description="T; towards 0 one expert answers")
    reads: Literal["mean", "last"] = Field(
        "mean", description="of a prompt's tokens: their mean, or the last one"
    )
    layers: int = Field(
        4, ge=1, le=1000, description="transformer blocks, evenly spaced, whose inputs vote"
    )
    together: ClassVar[bool] = True

    @property
    def needs(self) -> frozenset[Need]:
        """h of the device's task at the gate's blocks."""
        return frozenset({Need.FEATURES})

    @property
    def reading(self) -> tuple[int, Literal["mean", "last"]]:
        """As the scenario says."""
        return self.layers, self.reads

    @property
    def routing(self) -> Routing:
        """As the scenario says."""
        return Routing(self.top_k, self.temperature)

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """All experts of the bank, weighed by the sequence."""
        return replace(super().expert(own, task, tasks), weigh=self.weigh)

    def weigh(self, cosines: Tensor) -> Tensor:
        """Weights (questions, J) of cosines (questions, J)."""
        return gate_weights(cosines, self.top_k, self.temperature)

    def says(self, own: DeviceState) -> tuple[Said, ...]:
        """h, once a receiver."""
        if own.calibration is None or own.calibration.features is None:
            return ()
        return (Values("h", own.calibration.features, once=True),)


def gate_weights(cosines: Tensor, top_k: int, temperature: float = 1.0) -> Tensor:
    """Weights (n, J) of the experts for each sequence: eq. 27 of arXiv 2602.20492, corrected.

    g_j ∝ relu(cosine_j)^(1/T) over the `top_k` largest cosines, 0 elsewhere, each row summing to
    1, float32. Where none of them is positive they share equally. Equal cosines go to the lower
    index. cosines: (n, J); T → 0 is hard routing. ValueError for no experts, top_k < 1 or T not
    positive.
    """
    import torch

    if cosines.shape[1] == 0:
        raise ValueError("there is no expert to route to")
    if top_k < 1 or not 0 < temperature < math.inf:
        raise ValueError("top_k must be at least 1, and the temperature positive and finite")
    best = cosines.sort(dim=1, descending=True, stable=True).indices[:, :top_k]
    indicator = torch.zeros_like(cosines).scatter_(1, best, 1.0)
    similar = cosines.clamp(min=0) * indicator
    highest = similar.amax(1, keepdim=True)
    # Relative to the highest, so that a low temperature does not push all of them to zero.
    gate = torch.where(highest > 0, (similar / highest).pow(1 / temperature), indicator)
    return (gate / gate.sum(1, keepdim=True)).float()
