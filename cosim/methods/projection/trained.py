"""`trained`: A is trained, sent and averaged with B, as LoRA does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from cosim.methods.layout import Layout
from cosim.methods.message import Said, Values
from cosim.methods.projection.gaussian import gaussian_projection
from cosim.methods.projection.slot import Projection
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class Trained(Projection):
    """A starts the same for all devices, and moves with B."""

    name: Literal["trained"] = "trained"
    moves: ClassVar[bool] = True

    def first(self, layout: Layout, seed: int, owner: int | str) -> Tensor:
        """Entries N(0, 1/k)."""
        return gaussian_projection(layout, seed, owner)

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """A itself, every time."""
        return (Values("A", own.adapter.projection),)
