"""Products with low-rank factors of their own for consecutive groups of tokens.

Groups of equally many tokens go through one batched product, which is up to twice as fast as a
product a group; one factor for all tokens, (1, ·, ·), through a plain one.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cosim.learning.base.packed_llama.geometry import Tokens


def ranks(x: Tensor, A: Tensor, tokens: Tokens) -> Tensor:
    """z = A_g·x: x (n, k), A (G, r, k) → (n, r)."""
    z = x.new_empty(x.shape[0], A.shape[1])
    for x_g, A_g, z_g in _groups(tokens, x, A, z):
        torch.matmul(x_g, A_g.mT, out=z_g)
    return z


def add_expanded(y: Tensor, z: Tensor, B: Tensor, tokens: Tokens, scale: float) -> None:
    """y += scale·B_g·z in place: y (n, d), z (n, r), B (G, d, r)."""
    for y_g, B_g, z_g in _groups(tokens, y, B, z):
        _product(y_g, z_g, B_g.mT, scale, add=True)


def ranks_gradient(dy: Tensor, B: Tensor, tokens: Tokens, scale: float) -> Tensor:
    """dz = scale·B_gᵀ·dy: dy (n, d), B (G, d, r) → (n, r)."""
    dz = dy.new_empty(dy.shape[0], B.shape[2])
    for dy_g, B_g, dz_g in _groups(tokens, dy, B, dz):
        _product(dz_g, dy_g, B_g, scale, add=False)
    return dz


def add_expansion_gradient(dB: Tensor, dy: Tensor, z: Tensor, tokens: Tokens, scale: float) -> None:
    """dB_g += scale·Σ dy·zᵀ in place: dB (G, d, r)."""
    for dy_g, dB_g, z_g in _groups(tokens, dy, dB, z):
        _product(dB_g, dy_g.mT, z_g, scale, add=True)


def add_projection_gradient(dA: Tensor, dz: Tensor, x: Tensor, tokens: Tokens) -> None:
    """dA_g += Σ dz·xᵀ in place: dA (G, r, k)."""
    for dz_g, dA_g, x_g in _groups(tokens, dz, dA, x):
        _product(dA_g, dz_g.mT, x_g, 1.0, add=True)


def add_projected(dx: Tensor, dz: Tensor, A: Tensor, tokens: Tokens) -> None:
    """dx += A_gᵀ·dz in place: dx (n, k), dz (n, r), A (G, r, k)."""
    for dx_g, A_g, dz_g in _groups(tokens, dx, A, dz):
        _product(dx_g, dz_g, A_g, 1.0, add=True)


def _groups(
    tokens: Tokens, x: Tensor, factor: Tensor, y: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Tokens x and y (n, ·) and a factor (G, ·, ·), all groups in one as (G, n/G, ·) where they
    are equal, else group by group; groups without a token are left out."""
    if factor.shape[0] == 1:
        yield x, factor[0], y
        return
    if tokens.equal:
        count = factor.shape[0]
        yield x.unflatten(0, (count, -1)), factor, y.unflatten(0, (count, -1))
        return
    for x_g, factor_g, y_g in zip(
        x.split(tokens.sizes), factor.unbind(), y.split(tokens.sizes), strict=True
    ):
        if x_g.shape[0]:
            yield x_g, factor_g, y_g


def _product(out: Tensor, a: Tensor, b: Tensor, scale: float, *, add: bool) -> None:
    """out = scale·left·right, or added to it; matrices, or batches of them."""
    beta = 1 if add else 0
    product = torch.addmm if a.ndim == 2 else torch.baddbmm
    product(out, a, b, beta=beta, alpha=scale, out=out)
