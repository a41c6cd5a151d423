"""How much the masks of several devices collide."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def measured_collision_rate(supports: Sequence[Tensor], size: int) -> float:
    """Share of all positions of B that at least two supports hold: what eq. 19 predicts."""
    if len(supports) < 2:
        return 0.0
    counts = torch.bincount(torch.cat(list(supports)), minlength=size)
    return float((counts >= 2).double().mean())
