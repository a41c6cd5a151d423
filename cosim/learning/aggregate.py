"""Aggregation of what arrived: pure functions of the updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Update:
    """What one device puts on the air after fine-tuning, as its receivers will read it.

    values: float32 (n,) of B on `support` (None: dense). projection: float32 flat A where A is
    trained and sent, else None. weight: α_j, its number of training rows.
    """

    device: int
    round: int
    values: Tensor
    support: Tensor | None
    projection: Tensor | None
    weight: float


def as_transmitted(values: Tensor, bits_per_value: int) -> Tensor:
    """float32 values after a transmission at 16 (IEEE half precision) or 32 bits each."""
    return values.half().float() if bits_per_value == 16 else values


def mean(updates: Sequence[Update], size: int) -> tuple[Tensor, Tensor | None]:
    """Weighted mean of flat B (and of flat A where it was sent): Σ_j w_j·B_j.

    w_j = α_j / Σ_k α_k over what is given, self included (eq. 9-10 of arXiv 2602.20492,
    renormalised). Values off a support count as zero. Summed in the order given.
    """
    total = sum(update.weight for update in updates)
    expansion = torch.zeros(size)
    projection: Tensor | None = None
    for update in updates:
        share = update.weight / total
        if update.support is None:
            expansion.add_(update.values, alpha=share)
        else:
            expansion.index_add_(0, update.support, update.values, alpha=share)
        if update.projection is not None:
            if projection is None:
                projection = torch.zeros_like(update.projection)
            projection.add_(update.projection, alpha=share)
    return expansion, projection


def support_normalised_mean(updates: Sequence[Update], size: int) -> Tensor:
    """B̄ = Σ_j B_j⊙M_j / max(1, Σ_j M_j), flat.

    Where supports do not collide this is B_j exactly (eq. 10 of arXiv 2602.20492, corrected).
    """
    total = torch.zeros(size)
    count = torch.zeros(size)
    for update in updates:
        if update.support is None:
            total += update.values
            count += 1
        else:
            total.index_add_(0, update.support, update.values)
            count.index_add_(0, update.support, torch.ones_like(update.values))
    return total / count.clamp_(min=1)


def measured_collision_rate(supports: Sequence[Tensor], size: int) -> float:
    """Share of all positions of B that at least two supports hold: what eq. 19 predicts."""
    if len(supports) < 2:
        return 0.0
    held = torch.bincount(torch.cat(list(supports)), minlength=size)
    return float((held >= 2).double().mean())
