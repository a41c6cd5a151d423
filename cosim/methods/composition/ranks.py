"""`ranks`: the largest ranks of all experts answer, as eq. 29 of arXiv 2602.20492 prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from cosim.methods.composition.banked import Banked
from cosim.methods.expert import Expert
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    from torch import Tensor


class Ranks(Banked):
    """Of z = A_j·x over all experts the r largest |z| are kept, r the adapter's rank."""

    name: Literal["ranks"] = "ranks"
    together: ClassVar[bool] = True

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """All experts of the bank, of whose ranks the largest answer."""
        return replace(super().expert(own, task, tasks), share=1.0, select=self.select)

    def select(self, activations: Tensor) -> Tensor:
        """z (..., J, r) with all but the r largest set to zero."""
        return select_ranks(activations, activations.shape[-1])


def select_ranks(activations: Tensor, keep: int) -> Tensor:
    """z with all but the `keep` largest |z| of all experts' ranks set to zero: eq. 29.

    activations: z (..., J, r), returned in that shape; the answer is then Σ_j B_j·z_j. `keep` is
    the paper's k, and r where one adapter's cost is wanted. Ranked across experts, because inside
    one adapter a top-k selects no expert; by magnitude, because the sign of a rank means nothing.
    Equal magnitudes go to the lower expert and rank. ValueError for keep < 1.
    """
    import torch

    if keep < 1:
        raise ValueError("keep must be at least 1")
    flat = activations.flatten(-2)
    best = flat.abs().sort(dim=-1, descending=True, stable=True).indices[..., :keep]
    mask = torch.zeros_like(flat, dtype=torch.bool).scatter_(-1, best, True)
    return flat.masked_fill(~mask, 0.0).view_as(activations)
