"""Sums of products, Z = Σ_j w_j·B_j·A_j, by their factors: no d×k matrix is ever formed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

# Of a singular value decomposition of n×n numbers with both bases, times n³ (Golub and Van Loan).
SVD_FLOP = 21.0
# A direction whose singular value is below this share of the largest one is rounding.
_NOTHING = 1e-10


class Core(NamedTuple):
    """A core says Z = left·core·rightᵀ of a sum of products.

    left: (d, q), orthonormal columns.
    core: (q, p), has the singular values of Z.
    right: (k, p), orthonormal columns.
    """

    left: Tensor
    core: Tensor
    right: Tensor


def core_of(Bs: Sequence[Tensor], As: Sequence[Tensor], weights: Sequence[float]) -> Core:
    """The core of Σ_j w_j·B_j·A_j, w_j ≥ 0, by QR of the factors side by side, √w_j on both.

    Bs: (d, r) each; As: (r, k) each. For n pairs q and p are n·r at most.
    """
    import torch

    roots = [weight**0.5 for weight in weights]
    left = torch.cat([root * B for root, B in zip(roots, Bs, strict=True)], dim=1)
    right = torch.cat([root * A.mT for root, A in zip(roots, As, strict=True)], dim=1)
    Q_B, R_B = torch.linalg.qr(left)
    Q_A, R_A = torch.linalg.qr(right)
    return Core(Q_B, R_B @ R_A.mT, Q_A)


class Truncated(NamedTuple):
    """A truncated decomposition has the largest singular values of a matrix, descending, with their
    vectors; q is below the rank that was asked for where the matrix has no more.

    U: (d, q), the left vectors as columns.
    sigma: σ (q,), the values.
    Vt: Vᵀ (q, k), the right vectors as rows.
    """

    U: Tensor
    sigma: Tensor
    Vt: Tensor


def truncated_sum(
    Bs: Sequence[Tensor], As: Sequence[Tensor], weights: Sequence[float], rank: int
) -> Truncated:
    """The truncated SVD of Σ_j w_j·B_j·A_j, exact up to rounding; of each row of
    Vᵀ the entry of the largest magnitude is positive.

    Values below 1e-10 of the largest one count as none. NaN of a sum that is not finite.
    """
    import torch

    left, core, right = core_of(Bs, As, weights)
    if not bool(core.isfinite().all()):
        # As a mean has it: whoever trains with it finds that it diverged.
        shapes = ((left.shape[0], rank), (rank,), (rank, right.shape[0]))
        return Truncated(*(core.new_full(shape, torch.nan) for shape in shapes))
    U, sigma, Vt = torch.linalg.svd(core, full_matrices=False)
    count = int((sigma > _NOTHING * sigma[0]).sum())
    q = min(rank, count)
    rows = Vt[:q] @ right.mT
    signs = largest_signs(rows)
    return Truncated((left @ U[:, :q]) * signs, sigma[:q], signs.unsqueeze(-1) * rows)


def largest_signs(rows: Tensor) -> Tensor:
    """The sign (q,) of the entry of the largest magnitude of each row (q, k).

    A singular vector is one only up to its sign: with this one it is the same on every machine.
    """
    return rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)).squeeze(1).sign()


def completed(rows: Tensor, rank: int, before: Tensor) -> Tensor:
    """Rows (rank, k): those given (q, k), and then orthonormal ones out of the span of `before`.

    rows: orthogonal, none zero. before: the A (r, k) that was there, whose rows orthogonal to these
    give what is missing; as it is where there are none. Rows of zeros where it has no more
    directions.
    """
    import torch

    q = rows.shape[0]
    if q == 0:
        return before
    basis = torch.nn.functional.normalize(rows, dim=1)
    rest = before - (before @ basis.mT) @ basis
    _, sigma, Vt = torch.linalg.svd(rest, full_matrices=False)
    out = rows.new_zeros(rank, rows.shape[1])
    out[:q] = rows
    there = Vt[: rank - q][sigma[: rank - q] > _NOTHING * before.norm()]
    out[q : q + there.shape[0]] = largest_signs(there).unsqueeze(-1) * there
    return out
