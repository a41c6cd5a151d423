"""Places on a regular grid that fills an area."""

import math

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.area import Area, Square

FloatArray = NDArray[np.float64]


def grid(area: Area, n: int) -> FloatArray:
    """`n` places (n, 2) in m on a regular grid over the area, half a spacing from its edge.

    Square: ⌈√n⌉ columns and as few rows as needed, row by row from the lower left, the last row
    spread over the whole side. Disc: the n points of a square lattice around the centre that are
    nearest to it, ties by angle from the x axis, at the spacing R/(ρ + ½) where ρ is the last
    one's distance in spacings. ValueError unless n ≥ 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if isinstance(area, Square):
        columns = math.ceil(math.sqrt(n))
        rows = math.ceil(n / columns)
        row = np.arange(n) // columns
        in_row = np.where(row < rows - 1, columns, n - columns * (rows - 1))
        x = (np.arange(n) % columns + 0.5) / in_row
        y = (row + 0.5) / rows
        return area.side_m * (np.stack([x, y], axis=-1) - 0.5)
    # A disc of this radius in spacings has more than n lattice points: π(√(n/π)+1)² > n + O(√n).
    reach = math.ceil(math.sqrt(n / math.pi)) + 1
    axis = np.arange(-reach, reach + 1)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    angle = np.arctan2(points[:, 1], points[:, 0]) % (2.0 * np.pi)
    nearest = points[np.lexsort([angle, np.square(points).sum(axis=1)])][:n]
    spacing = area.radius_m / (math.hypot(*nearest[-1]) + 0.5)
    return np.asarray(spacing * nearest)
