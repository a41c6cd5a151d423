"""Where devices may be: areas centred at the origin."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Vector = tuple[float, float]

# A point interpolated between two border points may lie outside by rounding, never by more.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Disc:
    """A disc lies around the origin. ValueError unless the radius is positive.

    radius_m: its radius.
    """

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

    def to_edge(self, point: Vector, velocity: Vector) -> tuple[float, Vector, Vector]:
        """When a straight walk from `point` (m) at `velocity` (m/s) meets the border.

        The time in s from |p + v·t| = R (∞ at rest), the point in m, and the outward unit normal
        there. A point on the border that heads inwards meets the border on the other side.
        """
        (x, y), (vx, vy) = point, velocity
        v2, pv = vx * vx + vy * vy, x * vx + y * vy
        if v2 == 0.0:
            return math.inf, point, (0.0, 0.0)
        inside = max((self.radius_m - math.hypot(x, y)) * (self.radius_m + math.hypot(x, y)), 0.0)
        root = math.sqrt(pv * pv + v2 * inside)
        # Of the two forms of the same solution, the one that subtracts nothing from its like.
        time_s = inside / (pv + root) if pv > 0.0 else (root - pv) / v2
        end = (x + vx * time_s, y + vy * time_s)
        length = math.hypot(*end)
        normal = (end[0] / length, end[1] / length)
        return time_s, (self.radius_m * normal[0], self.radius_m * normal[1]), normal

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which of the points (…, 2) in m lie in the area, border and rounding included: (…)."""
        x, y = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
        return np.asarray(np.hypot(x, y) <= self.radius_m * (1.0 + _ROUNDING))


@dataclass(frozen=True)
class Square:
    """A square lies around the origin. ValueError unless the side is positive.

    side_m: its side.
    """

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

    def to_edge(self, point: Vector, velocity: Vector) -> tuple[float, Vector, Vector]:
        """When a straight walk from `point` (m) at `velocity` (m/s) meets the border.

        The time in s (∞ at rest), the point in m, and the outward unit normal of the side met
        first. A point on the border that heads inwards meets the border on the other side.
        """
        half = 0.5 * self.side_m
        times = [
            max((math.copysign(half, v) - p) / v, 0.0) if v != 0.0 else math.inf
            for p, v in zip(point, velocity, strict=True)
        ]
        time_s = min(times)
        if time_s == math.inf:
            return math.inf, point, (0.0, 0.0)
        axis = times.index(time_s)
        end = [p + v * time_s for p, v in zip(point, velocity, strict=True)]
        normal = [0.0, 0.0]
        normal[axis] = math.copysign(1.0, velocity[axis])
        end[axis] = normal[axis] * half
        return time_s, (end[0], end[1]), (normal[0], normal[1])

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which of the points (…, 2) in m lie in the area, border and rounding included: (…)."""
        largest = np.max(np.abs(np.asarray(points, dtype=np.float64)), axis=-1)
        return np.asarray(largest <= 0.5 * self.side_m * (1.0 + _ROUNDING))


Area = Disc | Square
