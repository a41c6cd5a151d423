"""What is done to each token alone: norms and rotations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cosim.learning.base.packed_llama.weights import Norm

# Rows that are normalised at a time: what is wide of so many stays in the processor's cache.
_ROWS = 512


def normalised(x: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """y = w·(x·ρ) and ρ = 1/√(mean(x²) + ε) in float32: x (n, h) → (n, h), (n, 1)."""
    y, rate = torch.empty_like(x), x.new_empty(x.shape[0], 1, dtype=_wide(x))
    for x_c, y_c, rate_c in _together(x, y, rate):
        wide = x_c.to(rate.dtype)
        torch.linalg.vector_norm(wide, dim=-1, keepdim=True, out=rate_c)
        rate_c.square_().div_(x.shape[-1]).add_(norm.epsilon).rsqrt_()
        y_c.copy_(wide * rate_c).mul_(norm.weight)
    return y, rate


def normalised_again(x: Tensor, rate: Tensor, norm: Norm) -> Tensor:
    """y = w·(x·ρ) from a known ρ."""
    return (x * rate).to(x.dtype).mul_(norm.weight)


def norm_gradient(dy: Tensor, x: Tensor, rate: Tensor, norm: Norm, further: Tensor) -> Tensor:
    """dx = ρ·(g - x·ρ²·mean(g·x)) + further with g = w·dy, summed in ρ's dtype: all (n, h)."""
    dx, weight = torch.empty_like(x), norm.weight.to(rate.dtype)
    for dy_c, x_c, rate_c, further_c, dx_c in _together(dy, x, rate, further, dx):
        g, wide = dy_c * weight, x_c.to(rate.dtype)
        share = torch.linalg.vecdot(g, wide).unsqueeze(-1).mul_(rate_c**3).div_(-x.shape[-1])
        dx_c.copy_(g.mul_(rate_c).addcmul_(wide, share).add_(further_c))
    return dx


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _together(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same few rows of each."""
    return zip(*(tensor.split(_ROWS) for tensor in tensors), strict=True)


def rotated(heads: Tensor, cos: Tensor, sin: Tensor, out: Tensor | None = None) -> Tensor:
    """Rotary embedding y = x·cos + rotate_half(x)·sin of (n, heads, head_size); with -sin it is
    its own gradient."""
    turned = torch.mul(heads, cos, out=out)
    return turned.addcmul_(torch.roll(heads, heads.shape[-1] // 2, -1), sin)
