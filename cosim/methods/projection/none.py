"""`none`: there is no A, because every parameter of the base model is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Common, Said
from cosim.methods.projection.slot import ALL_OR_NOTHING, Projection
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class NoProjection(Projection):
    """ΔW is one factor, of the size of W0."""

    name: Literal["none"] = "none"
    exists: ClassVar[bool] = False

    def refuses(self, method: Chosen) -> str | None:
        """An adapter, which has an A."""
        return None if method.expansion.every_parameter else ALL_OR_NOTHING

    def first(self, layout: Layout, seed: int, owner: int | str) -> Tensor:
        """Nothing."""
        import torch

        return torch.zeros(0)

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """Nothing."""
        return (Common("A", own.adapter.projection),)
