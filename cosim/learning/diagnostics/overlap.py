"""Measured overlap of devices' projections and updates, module by module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.learning.adapters.adapter import Adapter, Layout
from cosim.learning.adapters.factors import by_module
from cosim.learning.diagnostics.theorems import projection_overlap, update_similarity


@dataclass(frozen=True)
class Overlap:
    """One module: means over all pairs of devices, both 0 where all pairs are orthogonal.

    projection: ‖A_i·A_jᵀ‖_F/(‖A_i‖·‖A_j‖), about 1/√k for independent Gaussian A (eq. 16 of arXiv
    2602.20492). update: |⟨B_iA_i, B_jA_j⟩_F|/(‖B_iA_i‖·‖B_jA_j‖), which Theorem 2 says is 0.
    """

    layer: int
    module: str
    projection: float
    update: float


@torch.no_grad()
def overlap(layout: Layout, adapters: Sequence[Adapter]) -> list[Overlap]:
    """One row a module, in the model's order; none for fewer than two devices, or without A."""
    if len(adapters) < 2 or layout.projection_size == 0:
        return []
    first, second = torch.triu_indices(len(adapters), len(adapters), offset=1)
    projection, update = (
        each[:, first, second].mean(1).tolist() for each in overlaps(layout, adapters)
    )
    return [
        Overlap(module.layer, module.name, *found)
        for module, *found in zip(layout.modules, projection, update, strict=True)
    ]


@torch.no_grad()
def overlaps(layout: Layout, adapters: Sequence[Adapter]) -> tuple[Tensor, Tensor]:
    """`Overlap`'s projection and update of every pair, each (L, J, J) over L modules."""
    found = [
        (projection_overlap(A), update_similarity(A, B).abs())
        for A, B, _ in by_module(layout, adapters)
    ]
    projection, update = zip(*found, strict=True)
    return torch.stack(projection), torch.stack(update)
