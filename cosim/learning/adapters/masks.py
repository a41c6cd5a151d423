"""Which positions of B a device trains: how many of each module, and then which."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cosim.errors import CosimError
from cosim.learning.adapters.adapter import Layout, kept_positions
from cosim.learning.adapters.budget import kept_counts
from cosim.methods.parts import unplayed
from cosim.methods.recipe import Recipe

# How positions are ranked: by the first mini-batch's gradient, by B after a dense warm-up over a
# whole round, or by B after the first mini-batch's step, signed, as eq. 18 is printed.
MaskRule = Literal["none", "gradient", "magnitude", "printed"]

# Added to √v by Adam and AdamW.
_EPSILON = 1e-8


def mask_rule(recipe: Recipe) -> MaskRule:
    """How a recipe ranks the positions of B."""
    match recipe.expansion:
        case "dense" | "every_parameter":
            return "none"
        case "magnitude_mask":
            return "magnitude"
        case "gradient_mask" | "entropy_mask":
            return "printed" if "mask" in recipe.literal else "gradient"
        case _:
            unplayed("expansion", recipe.expansion)


def planned_counts(
    recipe: Recipe, layout: Layout, density: float, entropies: ArrayLike | None = None
) -> NDArray[np.int64]:
    """How many positions of each module's B a device is going to train (L,).

    `gradient_mask`: a share `density` of each module. `entropy_mask`: Q_budget = density·Σd·r
    shared out by the spectral entropies (eq. 22 of arXiv 2602.20492, corrected), evenly without
    them; all positions with the printed eq. 22. `magnitude_mask`: the threshold is global, so
    that only the total, density·Σd·r, is known before the warm-up; it is shared out evenly.
    """
    sizes = np.array(layout.expansion_sizes)
    if "density" in recipe.literal:
        return sizes
    total = int(sizes.sum())
    match recipe.expansion:
        case "dense" | "every_parameter":
            return sizes
        case "gradient_mask":
            return np.array([kept_positions(int(size), density) for size in sizes])
        case "entropy_mask":
            budget = max(1.0, density * total)
        case "magnitude_mask":
            budget = float(kept_positions(total, density))
        case _:
            unplayed("expansion", recipe.expansion)
    blocks = [module.layer for module in layout.modules]
    # Equal entropies of equal blocks are the even share; of unequal ones they would not be.
    if entropies is None:
        return kept_counts(np.zeros(len(sizes)), sizes, np.zeros(len(sizes), int), budget)
    return kept_counts(entropies, sizes, blocks, budget)


def top_support(layout: Layout, scores: Tensor, kept: ArrayLike) -> Tensor:
    """Positions of the `kept` largest scores of each module, sorted.

    scores: flat (Σd·r,); kept: (L,). Equal scores go to the lower position.
    """
    chosen = []
    start = 0
    for size, keep in zip(layout.expansion_sizes, np.asarray(kept).tolist(), strict=True):
        order = torch.sort(scores[start : start + size], descending=True, stable=True)
        chosen.append(order.indices[:keep].sort().values + start)
        start += size
    return torch.cat(chosen)


def top_gradient_support(layout: Layout, gradient: Tensor, kept: ArrayLike) -> Tensor:
    """Positions of the largest |∂L/∂B| of each module (eq. 18 of arXiv 2602.20492, corrected)."""
    return top_support(layout, gradient.abs(), kept)


def printed_support(layout: Layout, gradient: Tensor, kept: ArrayLike, optimizer: str) -> Tensor:
    """Positions of the largest signed B after one step from B = 0 (eq. 18, as printed).

    After SGD's first step B = −η·g; after Adam's −η·g/(|g| + ε), which is ±η nearly everywhere.
    The learning rate changes no order.
    """
    first = -gradient
    if optimizer == "adamw":
        first = first / (gradient.abs() + _EPSILON)
    elif optimizer != "sgd":
        raise CosimError(f"training.optimizer: nobody knows the first step of {optimizer!r}")
    return top_support(layout, first, kept)


def top_magnitude_support(expansion: Tensor, kept: int) -> Tensor:
    """Positions of the largest |B| over all modules together, sorted (LoRI, arXiv 2504.07448).

    expansion: flat B (Σd·r,) after the warm-up. Equal magnitudes go to the lower position.
    """
    order = torch.sort(expansion.abs(), descending=True, stable=True)
    return order.indices[:kept].sort().values
