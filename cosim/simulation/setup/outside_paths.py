"""Trajectories by a movement from outside, looked at before anything depends on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from cosim.errors import OutsideError
from cosim.mobility.area import Area
from cosim.mobility.trajectory import Trajectory
from cosim.randomness import stream
from cosim.scenario.outside.mobility import Mobility

# Moments at which the first path of a group is asked, in s.
_TIMES_S = np.array([0.0, 1.0, 10.0, 60.0])
# What sums of many legs may be off by, as a part and in m.
_ROUNDING, _ROUNDING_M = 1e-9, 1e-6


def outside_paths(
    mobility: Mobility, area: Area, seed: int, ids: Sequence[int], where: str
) -> Iterator[Trajectory]:
    """The trajectory of every device of a group, each with a stream of its own.

    Raises OutsideError where the first of them is none, or contradicts itself.
    """
    for device in ids:
        path = mobility.trajectory(area, stream(seed, "mobility", device))
        if device == ids[0] and (wrong := _wrong(path)) is not None:
            raise OutsideError(f"{where}: {mobility} makes a path that {wrong}")
        yield path


def _wrong(path: Trajectory) -> str | None:
    """What contradicts the protocol at a few moments; None: nothing."""
    if not isinstance(path, Trajectory):
        attributes = ("position_m", "travelled_m", "speed_limit_m_s", "jumps_s")
        return f"lacks {', '.join(name for name in attributes if not hasattr(path, name))}"
    places, lengths = (np.asarray(of(_TIMES_S)) for of in (path.position_m, path.travelled_m))
    for name, answer, shape in (
        ("position_m", places, (*_TIMES_S.shape, 2)),
        ("travelled_m", lengths, _TIMES_S.shape),
    ):
        if answer.shape != shape:
            return f"answers {name} at {len(_TIMES_S)} times with the shape {answer.shape}"
        if not np.isfinite(answer).all():
            return f"answers {name} with a number that is not finite"
    again = np.asarray(path.position_m(_TIMES_S[::-1]))[::-1]
    if not np.array_equal(places, again):
        return "is elsewhere when it is asked for the same times again, in another order"
    limit = float(path.speed_limit_m_s)
    if not 0.0 <= limit < math.inf:
        return f"has a speed limit of {limit:g} m/s"
    steps, spans_s = np.diff(lengths), np.diff(_TIMES_S)
    slack = _ROUNDING_M + _ROUNDING * np.abs(lengths).max()
    if (steps < -slack).any():
        return "travels backwards: travelled_m must not decrease"
    if (steps > limit * spans_s + slack).any():
        return f"is faster than its own speed limit of {limit:g} m/s"
    straight = np.hypot(*np.diff(places, axis=0).T)
    if not path.jumps_s(0.0, _TIMES_S[-1]).size and (straight > steps + slack).any():
        return "comes further than it has travelled, without a jump"
    return None
