"""How many values of B each module may train, shared out by spectral entropy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.methods.layout import Layout

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def softmax(entropies: ArrayLike, temperature: float = 1.0) -> FloatArray:
    """exp(H_l/T) / Σ_z exp(H_z/T) (L,), entropies H in nats (L,).

    Entropies in another logarithm's unit would act as another temperature. ValueError for
    entropies that are not finite or a temperature that is not positive.
    """
    H = np.asarray(entropies, dtype=float)
    if H.ndim != 1 or H.size == 0 or not np.isfinite(H).all():
        raise ValueError("entropies must be (L,), not empty, and finite")
    if not 0 < temperature < math.inf:
        raise ValueError("temperature must be positive and finite")
    # A floor, so that a layer far below the others can still take what they have no room for.
    shares = np.exp(np.maximum((H - H.max()) / temperature, -600.0))
    return np.asarray(shares / shares.sum())


def water_filled(budget: float, shares: ArrayLike, capacities: ArrayLike) -> FloatArray:
    """min(c·w_l, d·r_l) (L,), c such that the sum is min(Q_budget, Σ_l d·r_l).

    Eq. 22 of arXiv 2602.20492 corrected: each layer gets Q_budget·w_l up to its capacity, and the
    excess is poured over the unsaturated layers by their w_l, until all of it is placed.
    `shares` w (L,) positive; `capacities` (L,) positive, in values. ValueError otherwise.
    """
    w, capacity = np.asarray(shares, dtype=float), np.asarray(capacities, dtype=float)
    if w.shape != capacity.shape or w.ndim != 1 or not (np.all(w > 0) and np.all(capacity > 0)):
        raise ValueError("shares and capacities must be (L,) and positive")
    if not budget >= 0:
        raise ValueError("the budget must not be negative")
    if budget >= capacity.sum():
        return capacity.copy()
    # Layers fill up in the order of capacity/share; before[m] is what the first m of them hold.
    order = np.argsort(capacity / w, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(capacity[order])[:-1]])
    remaining = np.cumsum(w[order][::-1])[::-1]
    level = np.maximum(budget - before, 0.0) / remaining
    fits = level * w[order] <= capacity[order]
    first = int(np.argmax(fits)) if fits.any() else len(w) - 1
    return np.asarray(np.minimum(level[first] * w, capacity))


def kept_counts(
    entropies: ArrayLike,
    sizes: ArrayLike,
    blocks: ArrayLike,
    budget: float,
    temperature: float = 1.0,
) -> IntArray:
    """Values of B that each module trains (n,); they sum to min(⌊Q_budget⌋, Σ d·r) exactly.

    Eq. 22 corrected, over transformer blocks: a block's entropy is the mean of its modules', and
    all modules of a block get its density, up to rounding by largest remainder (equal remainders:
    the earlier module). `entropies` (n,) in nats; `sizes` (n,) d·r of each module; `blocks` (n,)
    the transformer block it lies in, any integers. A module may be left with 0. ValueError for
    shapes that do not fit, and as `softmax` and `water_filled`.
    """
    H, size, label = np.asarray(entropies, float), np.asarray(sizes), np.asarray(blocks)
    if not (H.shape == size.shape == label.shape and H.ndim == 1):
        raise ValueError("entropies, sizes and blocks must be (n,) each")
    if size.dtype.kind not in "iu" or not np.all(size > 0):
        raise ValueError("sizes must be positive integers")
    _, block = np.unique(label, return_inverse=True)
    capacity = np.bincount(block, weights=size)
    mean_entropy = np.bincount(block, weights=H) / np.bincount(block)
    density = water_filled(budget, softmax(mean_entropy, temperature), capacity) / capacity
    total = int(min(budget, size.sum()))
    return _rounded(density[block] * size, size, total)


def shared_out(layout: Layout, budget: float, entropies: ArrayLike | None) -> IntArray:
    """`kept_counts` of a layout's modules, each block by its entropies; evenly without them."""
    sizes = np.array(layout.expansion_sizes)
    # Equal entropies of equal blocks are the even share; of unequal ones they would not be.
    if entropies is None:
        return kept_counts(np.zeros(len(sizes)), sizes, np.zeros(len(sizes), int), budget)
    return kept_counts(entropies, sizes, [module.layer for module in layout.modules], budget)


def _rounded(shares: FloatArray, most: IntArray, total: int) -> IntArray:
    """Integers near `shares`, none above `most`, that sum to `total`: largest remainder."""
    kept = np.minimum(np.floor(shares).astype(np.int64), most)
    room = np.flatnonzero(kept < most)
    order = room[np.argsort(kept[room] - shares[room], kind="stable")]
    kept[order[: total - int(kept.sum())]] += 1
    return kept
