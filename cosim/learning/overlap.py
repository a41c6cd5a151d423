"""Measured overlap of devices' projections and updates, module by module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.learning.adapter import Adapter, Layout
from cosim.learning.diagnostics import projection_overlap, update_similarity


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
    pairs = [layout.pairs(a.projection, a.expansion(layout)) for a in adapters]
    out = []
    for module, of_devices in zip(layout.modules, zip(*pairs, strict=True), strict=True):
        A = torch.cat([a for a, _ in of_devices])
        B = torch.cat([b for _, b in of_devices])
        alike = update_similarity(A, B).abs()
        out.append(Overlap(module.layer, module.name, _off(projection_overlap(A)), _off(alike)))
    return out


def _off(pairwise: Tensor) -> float:
    """The mean over all i ≠ j."""
    devices = pairwise.shape[0]
    total = pairwise.sum() - pairwise.diagonal().sum()
    return float(total) / (devices * (devices - 1))
