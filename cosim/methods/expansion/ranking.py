"""Which positions of B come first, by their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from cosim.errors import CosimError
from cosim.methods.layout import Layout

if TYPE_CHECKING:
    from torch import Tensor

# Added to √v by Adam and AdamW.
_EPSILON = 1e-8


def top_support(layout: Layout, scores: Tensor, kept: ArrayLike) -> Tensor:
    """Positions of the `kept` largest scores of each module, sorted.

    scores: flat (Σd·r,); kept: (L,). Equal scores go to the lower position.
    """
    import torch

    supports = []
    start = 0
    for size, keep in zip(layout.expansion_sizes, np.asarray(kept).tolist(), strict=True):
        order = torch.sort(scores[start : start + size], descending=True, stable=True)
        supports.append(order.indices[:keep].sort().values + start)
        start += size
    return torch.cat(supports)


def top_magnitude_support(expansion: Tensor, kept: int) -> Tensor:
    """Positions of the largest |B| over all modules together, sorted (LoRI, arXiv 2504.07448).

    expansion: flat B (Σd·r,) after the warm-up. Equal magnitudes go to the lower position.
    """
    order = expansion.abs().sort(descending=True, stable=True)
    return order.indices[:kept].sort().values


def first_step(gradient: Tensor, optimizer: str) -> Tensor:
    """B after one step from B = 0, but for the learning rate, which changes no order.

    After SGD's first step B = −η·g; after Adam's −η·g/(|g| + ε), which is ±η nearly everywhere.
    """
    steps = {"sgd": -gradient, "adamw": -gradient / (gradient.abs() + _EPSILON)}
    if optimizer not in steps:
        raise CosimError(f"training.optimizer: nobody knows the first step of {optimizer!r}")
    return steps[optimizer]
