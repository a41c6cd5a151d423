"""Experts' members side by side in one pass: their factors stacked, and what becomes of ranks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cosim.learning.base.adapted_model import Mix
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout


def expert_pairs(
    expert: Expert, layout: Layout, device: torch.device, dtype: torch.dtype
) -> list[tuple[Tensor, Tensor]]:
    """A (1, J·r, k) stacked over the members' ranks and B (1, d, J·r) side by side, of every
    module, times their share of the output if none is routed to."""
    share = expert.share
    if share is None:
        share = 1.0 if expert.weigh is not None else 1.0 / len(expert.members)
    parts = [
        layout.pairs(member.projection, member.expansion(layout) * share)
        for member in expert.members
    ]
    pairs = []
    for by_member in zip(*parts, strict=True):
        A = joined([a for a, _ in by_member], 1)
        B = joined([b for _, b in by_member], 2)
        pairs.append((A.to(device, dtype), B.to(device, dtype)))
    return pairs


def joined(factors: Sequence[Tensor], dimension: int) -> Tensor:
    """Factors along a dimension; of a single one itself, which is as large as an adapter."""
    return factors[0] if len(factors) == 1 else torch.cat(list(factors), dim=dimension)


def mix_of(
    expert: Expert,
    weights: Tensor | None,
    layout: Layout,
    device: torch.device,
    dtype: torch.dtype,
) -> Mix | None:
    """What becomes of the ranks z (n, J·r): weighed by row, some of them kept, or nothing.

    weights: a gate's, by row of the pass (rows, J); None without a gate.
    """
    if (select := expert.select) is not None:
        shape = (len(expert.members), layout.rank)
        return lambda z, _: select(z.unflatten(-1, shape)).flatten(-2)
    if weights is None:
        return None
    factors = weights.repeat_interleave(layout.rank, dim=1).to(device, dtype)
    return lambda z, rows: z * factors[rows]
