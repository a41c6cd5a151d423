"""Sums over messages: pure functions of content and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosim.methods.message import Heard

if TYPE_CHECKING:
    from torch import Tensor


def weighted_mean(
    heard: Sequence[Heard], weights: Sequence[float], total: float, size: int
) -> tuple[Tensor, Tensor | None]:
    """Σ_j w_j/W·B_j of flat B (size,), and the same of flat A where it was sent; W the total.

    Values off a support count as zero. Summed in the order given.
    """
    import torch

    expansion = torch.zeros(size)
    projection: Tensor | None = None
    for part, weight in zip(heard, weights, strict=True):
        message, share = part.message, weight / total
        if message.support is None:
            expansion.add_(message.values, alpha=share)
        else:
            expansion.index_add_(0, message.support, message.values, alpha=share)
        if message.sends_projection:
            if projection is None:
                projection = torch.zeros_like(message.projection)
            projection.add_(message.projection, alpha=share)
    return expansion, projection


def support_normalised_mean(heard: Sequence[Heard], weights: Sequence[float], size: int) -> Tensor:
    """B̄ = Σ_j w_j·B_j⊙M_j / Σ_j w_j·M_j where any M_j holds, else 0; flat (size,).

    With equal weights this is Σ_j B_j⊙M_j / max(1, Σ_j M_j), and where supports do not collide it
    is B_j exactly (eq. 10 of arXiv 2602.20492, corrected).
    """
    import torch

    total = torch.zeros(size)
    count = torch.zeros(size)
    for part, weight in zip(heard, weights, strict=True):
        values, support = part.message.values, part.message.support
        if support is None:
            total.add_(values, alpha=weight)
            count += weight
        else:
            total.index_add_(0, support, values, alpha=weight)
            count.index_add_(0, support, torch.full_like(values, weight))
    return torch.where(count > 0, total / count, 0.0)
