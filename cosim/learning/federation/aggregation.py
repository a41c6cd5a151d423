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
    trained and sent, else None. weight: α_j, its number of training rows. freshness: what of its
    weight is left, 1 for an update of the present round. seeded: the frozen A that B was trained
    with, which a seed names on the air; None where A is sent. number: names the content, whatever
    the freshness.
    """

    device: int
    round: int
    values: Tensor
    support: Tensor | None
    projection: Tensor | None
    weight: float
    freshness: float = 1.0
    seeded: Tensor | None = None
    number: int = 0

    @property
    def heard_projection(self) -> Tensor:
        """Flat A as whoever hears the update has it."""
        A = self.seeded if self.projection is None else self.projection
        assert A is not None, "an update without A"
        return A


def freshness(age: int, exponent: float) -> float:
    """(1 + n)^−a, the polynomial discount of an update of age n (FedAsync, arXiv 1903.03934)."""
    return float((1 + age) ** -exponent)


def as_transmitted(values: Tensor, bits_per_value: int) -> Tensor:
    """float32 values after a transmission at 16 (IEEE half precision) or 32 bits each."""
    return values.half().float() if bits_per_value == 16 else values


def mean(updates: Sequence[Update], size: int) -> tuple[Tensor, Tensor | None]:
    """Weighted mean of flat B (and of flat A where it was sent): Σ_j w_j·B_j.

    w_j = α_j / Σ_k α_k over what is given, self included (eq. 9-10 of arXiv 2602.20492,
    renormalised), with α times the freshness. Values off a support count as zero. Summed in the
    order given.
    """
    return _weighted(updates, size, sum(update.weight * update.freshness for update in updates))


def printed_mean(
    updates: Sequence[Update], size: int, all_weights: float
) -> tuple[Tensor, Tensor | None]:
    """Σ_j α_j/‖u‖·B_j, the same for A: eq. 9-10 of arXiv 2602.20492 as printed.

    α_j = n_j/N sums to 1 over all devices (`all_weights` N), and ‖u‖ counts what is given, self
    included: the weights sum to 1/‖u‖ at most, so that an adapter shrinks every round.
    """
    return _weighted(updates, size, all_weights * len(updates))


def _weighted(updates: Sequence[Update], size: int, total: float) -> tuple[Tensor, Tensor | None]:
    expansion = torch.zeros(size)
    projection: Tensor | None = None
    for update in updates:
        share = update.weight * update.freshness / total
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
    """B̄ = Σ_j w_j·B_j⊙M_j / Σ_j w_j·M_j where any M_j holds, else 0; w_j the freshness; flat.

    With fresh updates this is Σ_j B_j⊙M_j / max(1, Σ_j M_j), and where supports do not collide it
    is B_j exactly (eq. 10 of arXiv 2602.20492, corrected).
    """
    total = torch.zeros(size)
    count = torch.zeros(size)
    for update in updates:
        weight = update.freshness
        if update.support is None:
            total.add_(update.values, alpha=weight)
            count += weight
        else:
            total.index_add_(0, update.support, update.values, alpha=weight)
            weights = torch.full_like(update.values, weight)
            count.index_add_(0, update.support, weights)
    return torch.where(count > 0, total / count, 0.0)


def measured_collision_rate(supports: Sequence[Tensor], size: int) -> float:
    """Share of all positions of B that at least two supports hold: what eq. 19 predicts."""
    if len(supports) < 2:
        return 0.0
    held = torch.bincount(torch.cat(list(supports)), minlength=size)
    return float((held >= 2).double().mean())
