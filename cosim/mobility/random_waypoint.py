"""Random waypoint movement that starts in its stationary state."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.area import Area
from cosim.mobility.trajectory import Leg, PiecewiseLinear, Trajectory

FloatArray = NDArray[np.float64]


def random_waypoint(
    area: Area,
    rng: np.random.Generator,
    *,
    speed_m_s: tuple[float, float],
    pause_s: tuple[float, float] = (0.0, 0.0),
) -> Trajectory:
    """A device that again and again walks straight to a uniform point of `area`, and pauses.

    A leg's speed is uniform on `speed_m_s` = (v0, v1) in m/s and its pause uniform on `pause_s`
    in s. A start at rest or on a fresh leg would slow down for a long time (mean speed
    (v0+v1)/2 → (v1−v0)/ln(v1/v0)), so the state at t = 0 is drawn from the stationary law of
    Navidi and Camp, IEEE Trans. Mobile Comput. 3(1), 2004:
    P(paused) = E[T_p]/(E[T_p] + E[L]·E[1/v]), with E[1/v] = ln(v1/v0)/(v1−v0).
    `rng` must be this device's own: legs are drawn when they are first needed.
    ValueError unless 0 < v0 ≤ v1 < ∞ and 0 ≤ shortest ≤ longest pause < ∞.
    """
    slowest, fastest = speed_m_s
    shortest, longest = pause_s
    if not 0.0 < slowest <= fastest < math.inf:
        # At v0 = 0 legs last for ever on average, and everything comes to rest.
        raise ValueError(f"speed_m_s must be 0 < min ≤ max, got {speed_m_s}")
    if not 0.0 <= shortest <= longest < math.inf:
        raise ValueError(f"pause_s must be 0 ≤ min ≤ max, got {pause_s}")

    mean_pause_s = 0.5 * (shortest + longest)
    mean_leg_s = area.mean_distance_m * _mean_slowness_s_m(slowest, fastest)
    if rng.random() < mean_pause_s / (mean_pause_s + mean_leg_s):
        start = area.uniform(rng, 1)[0]
        first: Leg = (_residual_pause_s(rng, shortest, longest), float(start[0]), float(start[1]))
        pause_next = False
    else:
        origin, end = _leg_under_way(area, rng)
        start = origin + rng.random() * (end - origin)
        # Slow legs last longer, so a device is met on them more often: density ∝ 1/v.
        speed = slowest * (fastest / slowest) ** rng.random()
        first = (math.dist(start, end) / speed, float(end[0]), float(end[1]))
        pause_next = True

    def legs() -> Iterator[Leg]:
        yield first
        here = np.array(first[1:])
        if pause_next and longest > 0.0:
            yield rng.uniform(shortest, longest), float(here[0]), float(here[1])
        while True:
            there = area.uniform(rng, 1)[0]
            duration_s = math.dist(here, there) / rng.uniform(slowest, fastest)
            here = there
            yield duration_s, float(there[0]), float(there[1])
            if longest > 0.0:
                yield rng.uniform(shortest, longest), float(there[0]), float(there[1])

    return PiecewiseLinear((float(start[0]), float(start[1])), legs(), speed_limit_m_s=fastest)


def _mean_slowness_s_m(slowest: float, fastest: float) -> float:
    """E[1/v] = ln(v1/v0)/(v1−v0) of a uniform speed, in s/m; 1/v0 where the two are equal."""
    spread = (fastest - slowest) / slowest
    # log1p(u)/u keeps its digits while v1 tends to v0.
    return (math.log1p(spread) / spread if spread > 0.0 else 1.0) / slowest


def _leg_under_way(area: Area, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Two uniform points, accepted in proportion to their distance: long legs are met more."""
    while True:
        origin, end = area.uniform(rng, 2)
        if rng.random() * area.diameter_m < math.dist(origin, end):
            return origin, end


def _residual_pause_s(rng: np.random.Generator, shortest: float, longest: float) -> float:
    """What is left of a pause met at a random instant, in s: density (1 − F(t))/E[T_p].

    The pause met is length-biased, with density ∝ t on [a, b], thus √(a² + U(b² − a²)); the
    instant is uniform on it.
    """
    pause_s = math.sqrt(shortest**2 + rng.random() * (longest**2 - shortest**2))
    return rng.random() * pause_s
