"""Curved arrows between devices as arrays: thousands of links cost one draw call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# How far a link bends aside, of its length: the two directions of a pair lie side by side.
_BEND = 0.10
_POINTS = 25


def curves(
    start_m: FloatArray, end_m: FloatArray, gap_m: float, head_m: float
) -> tuple[FloatArray, FloatArray]:
    """Arrows from starts to ends (n, 2), bent to their right as quadratic Bézier curves.

    Returns shafts (n, points, 2) and heads (n, 3, 2). `gap_m` is left free at both ends and
    `head_m` is the length of a head; on a short link both shrink to a quarter of its length.
    """
    along = end_m - start_m
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-12)
    aside = np.stack([along[:, 1], -along[:, 0]], axis=-1) * _BEND
    control = 0.5 * (start_m + end_m) + aside
    free, head = (np.minimum(size / length, 0.25) for size in (gap_m, head_m))

    def at(t: FloatArray) -> FloatArray:
        t = t[..., None]
        terms = ((1 - t) ** 2 * start_m[:, None], 2 * t * (1 - t) * control[:, None])
        return np.asarray(terms[0] + terms[1] + t**2 * end_m[:, None])

    ends = at(np.stack([1 - free - head, 1 - free], axis=-1))
    # The shaft ends inside the head, so that a wide one does not blunt its tip.
    last = 1 - free - 0.8 * head
    shafts = at(free[:, None] + (last - free)[:, None] * np.linspace(0, 1, _POINTS))
    return shafts, _heads(ends[:, 0], ends[:, 1])


def _heads(root: FloatArray, tip: FloatArray) -> FloatArray:
    back = tip - root
    side = 0.42 * np.stack([-back[:, 1], back[:, 0]], axis=-1)
    return np.stack([tip, root + side, root - side], axis=1)


def crossings(shafts: FloatArray) -> FloatArray:
    """A point (n, 2) of each shaft, nearer to its end: where a miss is marked."""
    return shafts[:, int(_POINTS * 0.68)]
