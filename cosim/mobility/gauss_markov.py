"""Gauss–Markov movement: a velocity with a memory, reflected at the area's edge."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.area import Area, Vector
from cosim.mobility.trajectory import Leg, PiecewiseLinear, Trajectory

FloatArray = NDArray[np.float64]

# A deviation is cut where it is longer than this many σ: P = e^(−12.5) = 3.7e-6 a step.
DEVIATIONS = 5.0
_GRAZING = 1e-4


def gauss_markov(
    area: Area,
    rng: np.random.Generator,
    *,
    mean_speed_m_s: float,
    sigma_m_s: float,
    memory_s: float,
    step_s: float,
) -> Trajectory:
    """A device whose velocity changes every `step_s` = Δ and remembers for `memory_s` = τ.

    v⁺ = a·v + (1−a)·v̄ + σ√(1−a²)·w, a = e^(−Δ/τ), with w a standard normal vector: each
    component of v − v̄ has variance σ² and the autocorrelation a^k over k steps (Liang and Haas,
    INFOCOM 1999). |v̄| is `mean_speed_m_s` and its direction is the device's own, uniform. At the
    edge the position, v and v̄ are reflected. The start is stationary: a uniform place and
    direction, v = v̄ + σ·w; reflections are isometries of the state, so it stays so.

    Gaussian speeds have no bound and `speed_limit_m_s` must be one, so a deviation |v − v̄| beyond
    5σ is cut to 5σ: the limit is |v̄| + 5σ, and the variance falls short of σ² by less than 1e-5.

    `rng` must be this device's own: legs are drawn when they are first needed.
    ValueError unless 0 ≤ |v̄|, 0 ≤ σ, 0 < τ, 0 < Δ, all finite, and the limit times Δ is at most
    the area's diameter: a device that crosses the area within one step has no path in it.
    """
    if not (0.0 <= mean_speed_m_s < math.inf and 0.0 <= sigma_m_s < math.inf):
        raise ValueError(
            f"mean_speed_m_s and sigma_m_s must be finite and not negative, got {mean_speed_m_s} "
            f"and {sigma_m_s}"
        )
    if not (0.0 < memory_s < math.inf and 0.0 < step_s < math.inf):
        raise ValueError(
            f"memory_s and step_s must be finite and positive, got {memory_s} and {step_s}"
        )
    limit = mean_speed_m_s + DEVIATIONS * sigma_m_s
    if limit * step_s > area.diameter_m:
        raise ValueError(
            f"step_s: {limit:g} m/s (mean_speed_m_s + {DEVIATIONS:g}·sigma_m_s) for {step_s:g} s "
            f"is further than the area's diameter of {area.diameter_m:g} m; shorten the step"
        )
    start = area.uniform(rng, 1)[0]
    heading = 2.0 * math.pi * rng.random()

    def legs() -> Iterator[Leg]:
        point = (float(start[0]), float(start[1]))
        mean = (mean_speed_m_s * math.cos(heading), mean_speed_m_s * math.sin(heading))
        correlation = math.exp(-step_s / memory_s)
        fresh = sigma_m_s * math.sqrt(-math.expm1(-2.0 * step_s / memory_s))
        # The deviation u = v − v̄ follows u⁺ = a·u + σ√(1−a²)·w, and turns with v and v̄.
        off = _cut(sigma_m_s * rng.standard_normal(2), sigma_m_s)
        while True:
            left_s = step_s
            while left_s > 0.0:
                velocity = (mean[0] + off[0], mean[1] + off[1])
                taken_s, end, normal = area.to_edge(point, velocity)
                if taken_s >= left_s:
                    end = (point[0] + velocity[0] * left_s, point[1] + velocity[1] * left_s)
                    yield left_s, *end
                    point, left_s = end, 0.0
                else:
                    if taken_s > 0.0:
                        yield taken_s, *end
                    point, left_s = end, left_s - taken_s
                    mirror = _mirror(velocity, normal)
                    mean, off = _reflected(mean, mirror), _reflected(off, mirror)
            off = _cut(correlation * np.asarray(off) + fresh * rng.standard_normal(2), sigma_m_s)

    return PiecewiseLinear((float(start[0]), float(start[1])), legs(), speed_limit_m_s=limit)


def _cut(deviation: FloatArray, sigma_m_s: float) -> Vector:
    length = math.hypot(*deviation)
    if length > DEVIATIONS * sigma_m_s:
        deviation = deviation * (DEVIATIONS * sigma_m_s / length)
    return float(deviation[0]), float(deviation[1])


def _mirror(velocity: Vector, normal: Vector) -> Vector:
    """The unit normal to reflect at: the edge's, tilted by 1e-4 where the velocity grazes it.

    Along the edge of a disc a grazing walk would meet it again after no time, without end.
    """
    speed = math.hypot(*velocity)
    if velocity[0] * normal[0] + velocity[1] * normal[1] >= _GRAZING * speed:
        return normal
    x, y = (n + _GRAZING * v / speed for n, v in zip(normal, velocity, strict=True))
    length = math.hypot(x, y)
    return x / length, y / length


def _reflected(vector: Vector, normal: Vector) -> Vector:
    """v − 2(v·n)n for a unit normal n."""
    along = 2.0 * (vector[0] * normal[0] + vector[1] * normal[1])
    return vector[0] - along * normal[0], vector[1] - along * normal[1]
