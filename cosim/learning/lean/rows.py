"""What is done to each token alone: norms and rotations."""

from __future__ import annotations

import torch
from torch import Tensor

from cosim.learning.lean.weights import Norm


def normalised(x: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """y = w·(x·ρ) and ρ = 1/√(mean(x²) + ε) in float32: x (n, h) → (n, h), (n, 1)."""
    wide = torch.promote_types(x.dtype, torch.float32)
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
    rate = size.square_().div_(x.shape[-1]).add_(norm.epsilon).rsqrt_()
    return normalised_again(x, rate, norm), rate


def normalised_again(x: Tensor, rate: Tensor, norm: Norm) -> Tensor:
    """y = w·(x·ρ) from a known ρ."""
    return (x * rate).to(x.dtype).mul_(norm.weight)


def norm_gradient(dy: Tensor, x: Tensor, rate: Tensor, norm: Norm) -> Tensor:
    """dx = ρ·(g - x·ρ²·mean(g·x)) with g = w·dy, in ρ's dtype; dy is used up."""
    g, wide = dy.mul_(norm.weight).to(rate.dtype), x.to(rate.dtype)
    share = (g * wide).sum(-1, keepdim=True).mul_(rate**3).div_(-x.shape[-1])
    return g.mul_(rate).addcmul_(wide, share)


def rotated(heads: Tensor, cos: Tensor, sin: Tensor, out: Tensor | None = None) -> Tensor:
    """Rotary embedding y = x·cos + rotate_half(x)·sin of (n, heads, head_size); with -sin it is
    its own gradient."""
    turned = torch.mul(heads, cos, out=out)
    return turned.addcmul_(torch.roll(heads, heads.shape[-1] // 2, -1), sin)
