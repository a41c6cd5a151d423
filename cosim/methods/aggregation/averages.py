"""Sums over messages: pure functions of content and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosim.methods.message import Heard

if TYPE_CHECKING:
    from torch import Tensor


def weighted_mean(
    heard: Sequence[Heard], weights: Sequence[float], total: float, size: int
) -> tuple[Tensor | None, Tensor | None]:
    """Σ_j w_j/W·B_j of flat B (size,), and the same of flat A; W the total. None of a factor that
    nobody sent.

    Values off a support count as zero. Where only some sent a factor, W is their part of the total.
    Summed in the order given.
    """
    import torch

    expansion: Tensor | None = None
    projection: Tensor | None = None
    of_B = _total([part.message.sends_expansion for part in heard], weights, total)
    of_A = _total([part.message.sends_projection for part in heard], weights, total)
    for part, weight in zip(heard, weights, strict=True):
        message = part.message
        if message.sends_expansion and of_B is not None:
            expansion = torch.zeros(size) if expansion is None else expansion
            if message.support is None:
                expansion.add_(message.values, alpha=weight / of_B)
            else:
                expansion.index_add_(0, message.support, message.values, alpha=weight / of_B)
        if message.sends_projection and of_A is not None:
            projection = torch.zeros_like(message.projection) if projection is None else projection
            projection.add_(message.projection, alpha=weight / of_A)
    return expansion, projection


def _total(sent: Sequence[bool], weights: Sequence[float], total: float) -> float | None:
    """The part of the total that is of those who sent a factor; None where they weigh nothing."""
    if all(sent):
        return total
    weight = sum(weight for weight, its in zip(weights, sent, strict=True) if its)
    return total * weight / sum(weights) if weight > 0 else None


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
