"""Squared distances, with which ranges and orders by distance are decided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What a k-d tree finds is widened by this share and then decided by `squared_m2`: the tree's own
# arithmetic differs in its last digits between processors.
SLACK = 1e-6


def squared_m2(
    positions_m: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Δx² + Δy² in m² between places `first` and `second` of positions (M, 2), which broadcast.

    Not rooted: sums and products round alike on every machine, so that ties stay ties.
    """
    apart_m = positions_m[first] - positions_m[second]
    return np.asarray(apart_m[..., 0] ** 2 + apart_m[..., 1] ** 2)
