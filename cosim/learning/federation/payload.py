"""Bits of what a device sends: values every round, its mask, A and h once a receiver."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cosim.learning.base.target_modules import AdaptedModule, shared_inputs
from cosim.methods.meaning import has_own_projection, trains_projection
from cosim.methods.parts import Projection
from cosim.methods.recipe import Recipe

# A Philox key names every entry of a frozen Gaussian A.
SEED_BITS = 64


def mask_bits(positions: int, kept: int) -> int:
    """⌈n·H2(k/n)⌉: an entropy-coded mask with k ones in n positions, in bits.

    H2(s) = −s·log2 s − (1−s)·log2(1−s); at s = 0.1 that is 4.7 bits a kept value.
    """
    if kept <= 0 or kept >= positions:
        return 0
    s = kept / positions
    entropy = -s * math.log2(s) - (1 - s) * math.log2(1 - s)
    return math.ceil(positions * entropy)


def values_bits(kept: int, projection_values: int, projection: Projection, per_value: int) -> int:
    """(nnz(B) + |A| where A is trained) × bits per value."""
    sent = kept + (projection_values if trains_projection(projection) else 0)
    return sent * per_value


def introduction_bits(
    expansion_sizes: list[int],
    kept_by_module: np.ndarray | None,
    projection: Projection,
    told_bits: int = 0,
) -> int:
    """What a receiver must be told once: every module's mask, the seed of an own A, and h.

    told_bits: of h, the mean inputs, by `told_values` times the bits of a value.
    """
    bits = SEED_BITS if has_own_projection(projection) else 0
    if kept_by_module is not None:
        bits += sum(
            mask_bits(size, int(kept))
            for size, kept in zip(expansion_sizes, kept_by_module, strict=True)
        )
    return bits + told_bits


def told_values(
    recipe: Recipe, modules: Sequence[AdaptedModule], gate_layers: int, hidden_size: int
) -> int:
    """Values of h that an expert's receivers must know: of the gate's layers, and of every
    distinct input of a module where A is refined with them (eq. 26 of arXiv 2602.20492)."""
    values = gate_layers * hidden_size if recipe.gated else 0
    if "refinement" in recipe.literal:
        shared = shared_inputs(modules)
        values += sum(m.in_features for n, m in enumerate(modules) if shared[n] == n)
    return values
