"""What the paper's orthogonality and convergence claims amount to on real adapters: reports."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@torch.no_grad()
def projection_overlap(projections: Tensor) -> Tensor:
    """‖A_i·A_jᵀ‖_F/(‖A_i‖·‖A_j‖) (J, J): eq. 16 of arXiv 2602.20492 with the product that fits.

    About 1/√k for independent Gaussian A; at most 1, and at least 1/√r on the diagonal. Printed
    is AᵀA, which is k×k and about 1/√r whatever the pair. projections: (J, r, k), none zero;
    float64 result.
    """
    A = projections.double()
    norm = A.flatten(1).norm(dim=1)
    return _grams(A).square().sum((1, 3)).sqrt() / torch.outer(norm, norm)


@torch.no_grad()
def update_similarity(projections: Tensor, expansions: Tensor) -> Tensor:
    """⟨B_iA_i, B_jA_j⟩_F/(‖B_iA_i‖·‖B_jA_j‖) (J, J): what Theorem 2 (eq. 28) says is 0.

    As tr(A_j·A_iᵀ·B_iᵀ·B_j), so that no d×k update is formed. projections: A, refined or not,
    (J, r, k); expansions: B with its mask applied (J, d, r); 0 for an update that is zero;
    float64 result. Printed with the second update transposed, which fits only where d = k.
    """
    inner = (_grams(projections.double()) * _grams(expansions.double().mT)).sum((1, 3))
    norm = inner.diagonal().clamp(min=0).sqrt()
    scale = torch.outer(norm, norm)
    return torch.where(scale > 0, inner / scale, 0.0)


@dataclass(frozen=True)
class TheoremOne:
    """Theorem 1 has two sides, which these are for one module and one cluster (eq. 23 of arXiv
    2602.20492).

    No inequality holds between them: disjoint masks give bound 0 and gap > 0, and a square is
    compared with first powers.

    gap: the left side, Σ_i ‖(B_i − B̄)·A_i‖²_F with B̄ the plain mean of masked B.
    own_support_gap: the same with the support-normalised mean read back on each one's own support,
        0 where no masks collide.
    bound: the right side 2·r·k·|C|²·S·(G + P).
    gradient_bound: G.
    average_bound: P.
    """

    gap: float
    own_support_gap: float
    bound: float
    gradient_bound: float
    average_bound: float


@torch.no_grad()
def theorem_one(
    projections: Tensor,
    expansions: Tensor,
    masks: Tensor,
    gradient_bound: float,
    collision_rate: float,
) -> TheoremOne:
    """Evaluates Theorem 1 on the members of one cluster, expectations replaced by this sample.

    P = max_i ‖B̄·A_i‖_F, the least number that satisfies the paper's assumption 2; gradient_bound:
    the least G of its assumption 1, max_i ‖∇_{B_i}F·A_i‖_F (`product_norms`). The double sum runs
    over the cluster, as in its proof (eq. 34). projections: A (J, r, k); expansions: B (J, d, r),
    masked here; masks: bool (J, d, r); collision_rate: S of the cluster in this module, eq. 19's
    or the measured one.
    """
    A, M = projections.double(), masks.double()
    B = expansions.double() * M
    members, rank, features = A.shape
    gram = A @ A.mT
    average = B.mean(0)
    normalised = B.sum(0) / M.sum(0).clamp(min=1)
    P = _squared_norms(average.expand_as(B), gram).max().sqrt()
    return TheoremOne(
        gap=float(_squared_norms(B - average, gram).sum()),
        own_support_gap=float(_squared_norms(B - normalised * M, gram).sum()),
        bound=2 * rank * features * members**2 * collision_rate * (gradient_bound + float(P)),
        gradient_bound=gradient_bound,
        average_bound=float(P),
    )


@torch.no_grad()
def product_norms(delta: Tensor, projections: Tensor) -> Tensor:
    """‖D_i·A_i‖_F (J,), float64, without forming the d×k products; left: D (J, d, r);
    projections: A (J, r, k)."""
    A = projections.double()
    return _squared_norms(delta.double(), A @ A.mT).sqrt()


def _grams(factors: Tensor) -> Tensor:
    """F_i·F_jᵀ of all pairs, as (J, r, J, r); factors: (J, r, n)."""
    members, rank, _ = factors.shape
    flat = factors.flatten(0, 1)
    return (flat @ flat.T).view(members, rank, members, rank)


def _squared_norms(delta: Tensor, gram: Tensor) -> Tensor:
    """‖D_i·A_i‖²_F (J,) = tr(D_iᵀD_i·A_iA_iᵀ); left: D (J, d, r); gram: A·Aᵀ (J, r, r)."""
    return ((delta.mT @ delta) * gram).sum((1, 2)).clamp(min=0)
