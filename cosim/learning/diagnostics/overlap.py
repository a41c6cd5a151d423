"""Measured overlap of devices' projections and updates, module by module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cosim.learning.adapters.factors import by_module
from cosim.learning.diagnostics.theorems import projection_overlap, update_similarity
from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout


@torch.no_grad()
def overlaps(layout: Layout, adapters: Sequence[Adapter]) -> tuple[Tensor, Tensor]:
    """Of every pair of devices the overlap of projections and the similarity of updates, each
    (L, J, J) over L modules.

    projection: ‖A_i·A_jᵀ‖_F/(‖A_i‖·‖A_j‖), about 1/√k for independent Gaussian A (eq. 16 of arXiv
    2602.20492). update: |⟨B_iA_i, B_jA_j⟩_F|/(‖B_iA_i‖·‖B_jA_j‖), which Theorem 2 says is 0.
    """
    modules = [
        (projection_overlap(A), update_similarity(A, B).abs())
        for A, B, _ in by_module(layout, adapters)
    ]
    projection, update = zip(*modules, strict=True)
    return torch.stack(projection), torch.stack(update)
