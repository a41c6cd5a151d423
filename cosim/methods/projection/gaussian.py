"""The random A of every adapter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cosim.methods.layout import Layout
from cosim.randomness import stream

if TYPE_CHECKING:
    from torch import Tensor


def gaussian_projection(
    layout: Layout, seed: int, *ids: int | str, printed: bool = False
) -> Tensor:
    """Flat A with entries N(0, 1/k) from a named stream (arXiv 2602.20492, eq. 16, scaled).

    With `printed` the entries are N(0, 1), as the equation says.
    """
    import torch

    random = stream(seed, "projection", *ids)
    A = np.empty(layout.projection_size, dtype=np.float32)
    start = 0
    for module, size in zip(layout.modules, layout.projection_sizes, strict=True):
        part = A[start : start + size]
        random.standard_normal(out=part, dtype=np.float32)
        if not printed:
            part /= math.sqrt(module.in_features)
        start += size
    return torch.from_numpy(A)
