"""The parameter collision rate of an aggregation set, as arXiv 2602.20492 predicts it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def predicted_collision_rate(densities: ArrayLike) -> NDArray[np.float64]:
    """S = 1 − Π_j (1−s_j) − Σ_j s_j Π_{z≠j} (1−s_z), eq. 19 of arXiv 2602.20492.

    The chance that at least two of independent masks hold a position. densities: (M,) or (M, L),
    each in [0, 1]; returns () or (L,); 0 for fewer than two devices.
    """
    s = np.asarray(densities, dtype=float)
    if np.any((s < 0) | (s > 1)):
        raise ValueError("densities must lie in [0, 1]")
    free = 1.0 - s
    none = np.prod(free, axis=0)
    one = np.zeros_like(none)
    for j in range(s.shape[0]):
        one = one + s[j] * np.prod(np.delete(free, j, axis=0), axis=0)
    # The difference of nearly equal numbers may dip below zero by a rounding error.
    return np.asarray(np.maximum(1.0 - none - one, 0.0))
