"""Products with low-rank factors of their own for consecutive groups of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cosim.learning.lean.plan import Tokens


def _groups(tokens: Tokens) -> Iterator[tuple[int, slice]]:
    for group, (first, end) in enumerate(zip(tokens.bounds, tokens.bounds[1:], strict=False)):
        if first < end:
            yield group, slice(first, end)


def ranks(x: Tensor, A: Tensor, tokens: Tokens) -> Tensor:
    """z = A_g·x: x (n, k), A (G, r, k) → (n, r)."""
    z = x.new_empty(x.shape[0], A.shape[1])
    for group, part in _groups(tokens):
        torch.mm(x[part], A[group].t(), out=z[part])
    return z


def add_expanded(y: Tensor, z: Tensor, B: Tensor, tokens: Tokens, scale: float) -> None:
    """y += scale·B_g·z in place: y (n, d), z (n, r), B (G, d, r)."""
    for group, part in _groups(tokens):
        y[part].addmm_(z[part], B[group].t(), alpha=scale)


def ranks_gradient(dy: Tensor, B: Tensor, tokens: Tokens, scale: float) -> Tensor:
    """dz = scale·B_gᵀ·dy: dy (n, d), B (G, d, r) → (n, r)."""
    dz = dy.new_empty(dy.shape[0], B.shape[2])
    for group, part in _groups(tokens):
        out = dz[part]
        torch.addmm(out, dy[part], B[group], beta=0, alpha=scale, out=out)
    return dz


def add_expansion_gradient(dB: Tensor, dy: Tensor, z: Tensor, tokens: Tokens, scale: float) -> None:
    """dB_g += scale·Σ dy·zᵀ in place: dB (G, d, r)."""
    for group, part in _groups(tokens):
        dB[group].addmm_(dy[part].t(), z[part], alpha=scale)


def add_projection_gradient(dA: Tensor, dz: Tensor, x: Tensor, tokens: Tokens) -> None:
    """dA_g += Σ dz·xᵀ in place: dA (G, r, k)."""
    for group, part in _groups(tokens):
        dA[group].addmm_(dz[part].t(), x[part])


def add_projected(dx: Tensor, dz: Tensor, A: Tensor, tokens: Tokens) -> None:
    """dx += A_gᵀ·dz in place: dx (n, k), dz (n, r), A (G, r, k)."""
    for group, part in _groups(tokens):
        dx[part].addmm_(dz[part], A[group])
