"""How far factors of several devices agree, and what averaging them errs by: reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from math import sqrt

import torch
from torch import Tensor

from cosim.learning.adapters.factors import by_module
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.products import core_of
from cosim.methods.layout import Layout

# Values of a vector that are held in float64 at once: more than an adapter usually has.
_PIECE = 2**24


@dataclass(frozen=True)
class MixingErrors:
    """Mixing errors are what two ways of averaging adapters leave of Z = Σ_j w_j·B_j·A_j, Σw = 1,
    over all modules (arXiv 2508.01348).

    cross_term: ‖Σ_j w_j·(B_j − B̄)(A_j − Ā)‖_F, which is ‖Z − B̄·Ā‖_F.
    aggregation: what averaging factor by factor leaves, divided by ‖Z‖_F: the same, or where a
        receiver keeps a factor of its own, ‖Z − B̄·A_i‖_F or ‖Z − B_i·Ā‖_F. None where Z is zero.
    broadcast: ‖Z − P_r Z‖_F/‖Z‖_F, what the best rank-r matrix leaves. None where Z is zero.
    """

    cross_term: float
    aggregation: float | None
    broadcast: float | None


@torch.no_grad()
def mixing_errors(
    layout: Layout,
    adapters: Sequence[Adapter],
    shares: Sequence[float],
    receiver: Adapter | None = None,
    keeps: str | None = None,
    rank: int | None = None,
) -> MixingErrors:
    """The errors of these adapters' mixture, by QR of stacked factors in float64; masked B as it
    is with zeros off its support.

    keeps: the factor, "A" or "B", that stays the receiver's own; None: both are averaged. rank: the
    receiver's; None: the layout's.
    """
    crossed = residual = whole = lost = 0.0
    own = by_module(layout, [receiver]) if receiver is not None and keeps else repeat(None)
    for (A, B, _), pair in zip(by_module(layout, adapters), own, strict=False):
        A, B = A.double(), B.double()
        crossed += cross_term(B, A, shares) ** 2
        if pair is not None:
            residual += (
                _norm(B, A - pair[0], shares) if keeps == "A" else _norm(B - pair[1], A, shares)
            )
        sigma = singular_values(B, A, shares).square()
        whole += float(sigma.sum())
        lost += float(sigma[rank or layout.rank :].sum())
    if whole == 0.0:
        return MixingErrors(sqrt(crossed), None, None)
    residual = residual if keeps else crossed
    return MixingErrors(sqrt(crossed), sqrt(residual / whole), sqrt(lost / whole))


def _norm(Bs: Tensor, As: Tensor, shares: Sequence[float]) -> float:
    """‖Σ_j w_j·B_j·A_j‖²_F of one module."""
    return float(core_of(list(Bs), list(As), shares).core.square().sum())


def cross_term(Bs: Tensor, As: Tensor, shares: Sequence[float]) -> float:
    """‖Σ_j w_j·(B_j − B̄)(A_j − Ā)‖_F of one module; Bs (J, d, r), As (J, r, k), Σw = 1.

    Exactly 0 where all A or all B are equal.
    """
    core = core_of(list(centred(Bs, shares)), list(centred(As, shares)), shares).core
    return float(core.norm())


def singular_values(Bs: Tensor, As: Tensor, shares: Sequence[float]) -> Tensor:
    """Those of Σ_j w_j·B_j·A_j of one module, descending; Bs (J, d, r), As (J, r, k); NaN where it
    is not finite."""
    core = core_of(list(Bs), list(As), shares).core
    if not bool(core.isfinite().all()):
        return torch.full((min(core.shape),), torch.nan, dtype=core.dtype)
    sigma: Tensor = torch.linalg.svdvals(core)
    return sigma


def centred(factors: Tensor, shares: Sequence[float]) -> Tensor:
    """F_j − Σ_i w_i·F_i (J, …); exactly 0 where all F are equal."""
    moved = factors - factors[0]
    mean: Tensor = torch.tensordot(torch.tensor(shares, dtype=factors.dtype), moved, dims=1)
    return moved - mean


@torch.no_grad()
def squared_distances(vectors: Sequence[Tensor]) -> list[float]:
    """‖x_i − x̄‖² of each vector (n,), x̄ their plain mean; exactly 0 where all are equal.

    Their mean over i is the consensus distance. Long vectors, such as all parameters of a model,
    are read piece by piece, so that no whole one is held in float64.
    """
    distances = [0.0] * len(vectors)
    for pieces in zip(*(vector.split(_PIECE) for vector in vectors), strict=True):
        first = pieces[0].double()
        total = torch.zeros_like(first)
        for piece in pieces:
            total += piece.double() - first
        mean = total / len(pieces)
        for at, piece in enumerate(pieces):
            distances[at] += float((piece.double() - first - mean).square().sum())
    return distances
