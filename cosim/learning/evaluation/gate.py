"""How much a prompt is like an expert's task: what a gate routes by."""

from __future__ import annotations

import torch
from torch import Tensor


def prompt_mean(tokens: Tensor, rows: Tensor, count: int) -> Tensor:
    """x̄ (n, k), float32: the mean over each prompt's tokens.

    tokens: (N, k) of all prompts; rows: (N,) which prompt each belongs to; count: n. The answer
    stays out, so that all choices of a question meet the same gate. ValueError for a prompt
    without tokens.
    """
    lengths = torch.bincount(rows, minlength=count)
    if lengths.numel() != count or bool((lengths == 0).any()):
        raise ValueError(f"rows must name each of {count} prompts, and no others")
    total = torch.zeros(count, tokens.shape[1], device=tokens.device)
    total = total.index_add_(0, rows, tokens.float())
    return total / lengths[:, None]


def centred_cosines(inputs: Tensor, experts: Tensor) -> Tensor:
    """cos(x̄ − μ, h_j − μ) (n, J), μ the mean of the known h_j; 0 where a side is zero.

    inputs: x̄ (n, k); experts: h_j (J, k), the calibration means, finite. Without μ all cosines are
    near 1, because a few large coordinates are common to all tasks. A sequence that the base model
    reads to no finite x̄ has cosine 0 to all, so that they share it equally: whichever answered,
    its answer would be no finite number either.
    """
    x, h = inputs.double(), experts.to(inputs.device).double()
    centre = h.mean(0)
    return _directions(x, centre) @ _directions(h, centre).T


def voted_cosines(inputs: Tensor, experts: Tensor) -> Tensor:
    """The mean over layers of `centred_cosines` (n, J): every layer has one vote.

    inputs: x̄ (n, L, k); experts: h_j (J, L, k), both at the same L layers.
    """
    pairs = zip(inputs.unbind(1), experts.unbind(1), strict=True)
    return torch.stack([centred_cosines(x, h) for x, h in pairs]).mean(0)


def _directions(points: Tensor, centre: Tensor) -> Tensor:
    """(points − centre) at length 1; zero where the difference is only rounding, or not finite."""
    offset = points - centre
    length = offset.norm(dim=1, keepdim=True)
    noise = 1e-12 * (points.norm(dim=1, keepdim=True) + centre.norm())
    unit: Tensor = torch.where((length > noise) & length.isfinite(), offset / length, 0.0)
    return unit
