"""Where devices may be: areas centred at the origin."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# A point interpolated between two border points may lie outside by rounding, never by more.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Disc:
    """A disc of radius `radius_m` around the origin. ValueError unless the radius is positive."""

    radius_m: float

    def __post_init__(self) -> None:
        if not 0.0 < self.radius_m < math.inf:
            raise ValueError(f"radius_m must be finite and positive, got {self.radius_m}")

    @property
    def diameter_m(self) -> float:
        """The largest distance of two points, 2R, in m."""
        return 2.0 * self.radius_m

    @property
    def mean_distance_m(self) -> float:
        """The mean distance of two uniform points, 128R/(45π), in m (Solomon, 1978)."""
        return 128.0 * self.radius_m / (45.0 * math.pi)

    def uniform(self, rng: np.random.Generator, n: int) -> FloatArray:
        """`n` independent points (n, 2) in m, uniform over the area: r = R·√U, a uniform angle."""
        r = self.radius_m * np.sqrt(rng.random(n))
        angle = 2.0 * math.pi * rng.random(n)
        return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1)

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which of the points (…, 2) in m lie in the area, border and rounding included: (…)."""
        x, y = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
        return np.asarray(np.hypot(x, y) <= self.radius_m * (1.0 + _ROUNDING))


@dataclass(frozen=True)
class Square:
    """A square of side `side_m` around the origin. ValueError unless the side is positive."""

    side_m: float

    def __post_init__(self) -> None:
        if not 0.0 < self.side_m < math.inf:
            raise ValueError(f"side_m must be finite and positive, got {self.side_m}")

    @property
    def diameter_m(self) -> float:
        """The largest distance of two points, the diagonal √2·a, in m."""
        return math.sqrt(2.0) * self.side_m

    @property
    def mean_distance_m(self) -> float:
        """The mean distance of two uniform points, (2 + √2 + 5·ln(1+√2))/15·a = 0.5214·a, in m.

        Ghosh, Bull. Calcutta Math. Soc. 43, 1951.
        """
        return (2.0 + math.sqrt(2.0) + 5.0 * math.asinh(1.0)) / 15.0 * self.side_m

    def uniform(self, rng: np.random.Generator, n: int) -> FloatArray:
        """`n` independent points (n, 2) in m, uniform over the area."""
        return self.side_m * (rng.random((n, 2)) - 0.5)

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which of the points (…, 2) in m lie in the area, border and rounding included: (…)."""
        largest = np.max(np.abs(np.asarray(points, dtype=np.float64)), axis=-1)
        return np.asarray(largest <= 0.5 * self.side_m * (1.0 + _ROUNDING))


Area = Disc | Square
