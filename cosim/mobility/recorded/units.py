"""Whether places that are called metres are degrees, or the other way round.

A degree is 1e5 m, so that what a file says of speeds, or nobody's speed at all, gives it away.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import MobilityError
from cosim.mobility.recorded.legs import Legs

FloatArray = NDArray[np.float64]

# Of what the speeds in a file come to, a path in metres is no smaller and no larger share.
_LEAST_SHARE, _LARGEST_SHARE = 0.01, 100.0
# Below this in m, what speeds come to is too little to judge by.
_JUDGED_M = 10.0
# Mean speeds in m/s between which everything moves that is carried, by whomever; and what a step
# must come to on average, in m, where a device that has arrived may rest as long as it likes.
_SLOWEST_M_S, _FASTEST_M_S, _LEAST_STEP_M = 1e-3, 1e3, 0.05
# All that stands still within this many m, and further than a metre off the origin, is degrees.
_STANDING_M, _OFF_ORIGIN_M = 0.1, 1.0


@dataclass
class SpeedsTold:
    """This is the way that a file's own speeds come to, over the steps that they belong to.

    walked_m: length of the steps in the file's unit; degrees are turned into m.
    told_m: length of the steps by the speeds.
    steps: how many there are.
    may_rest: whether a step may end early.
    """

    walked_m: float = 0.0
    told_m: float = 0.0
    steps: int = 0
    may_rest: bool = False


def look_like_degrees(places: FloatArray, legs: Legs, speeds: SpeedsTold | None) -> str | None:
    """Why places (K, 2) that are said to be metres look like degrees; None where they do not."""
    if np.any(np.abs(places) > np.array([180.0, 90.0])):
        return None
    within = "every x is within ±180, every y within ±90, and "
    if speeds is not None and speeds.told_m > _JUDGED_M:
        short = speeds.walked_m < _LEAST_SHARE * speeds.told_m
        if short and (not speeds.may_rest or speeds.walked_m < _LEAST_STEP_M * speeds.steps):
            return (
                f"{within}all go {speeds.walked_m:.3g} m, where the file's speeds say "
                f"{speeds.told_m:.4g} m"
            )
        return None
    extent_m = float(np.ptp(places, axis=0).max())
    timed = legs.moving & (legs.duration_s > 0.0)
    if timed.any():
        speed_m_s = float(np.median(legs.length_m[timed] / legs.duration_s[timed]))
        if speed_m_s < _SLOWEST_M_S and (extent_m < 1.0 or int(timed.sum()) >= 3):
            return f"{within}who moves does so at {speed_m_s:.2g} m/s (median)"
    elif 0.0 < extent_m < _STANDING_M and np.hypot(*places.T).min() > _OFF_ORIGIN_M:
        return f"{within}all stand within {extent_m:.2g} m, far off the origin"
    return None


def look_like_metres(legs: Legs, speeds: SpeedsTold | None) -> str | None:
    """Why places that are said to be degrees look like metres; None where they do not."""
    if speeds is not None and speeds.told_m > _JUDGED_M:
        if speeds.walked_m > _LARGEST_SHARE * speeds.told_m:
            return (
                f"taken for degrees, all go {speeds.walked_m:.3g} m, where the file's speeds say "
                f"{speeds.told_m:.4g} m"
            )
        return None
    timed = legs.moving & (legs.duration_s > 0.0)
    if not timed.any():
        return None
    speed_m_s = float(np.median(legs.length_m[timed] / legs.duration_s[timed]))
    if speed_m_s <= _FASTEST_M_S:
        return None
    return f"taken for degrees, who moves does so at {speed_m_s:.3g} m/s (median)"


_IF_DEGREES = {
    "sumo_fcd": "say degrees: true (SUMO's --fcd-output.geo)",
    "csv": "call the columns lon and lat (columns: {lon: x_m, lat: y_m}; degrees: true is for "
    "sumo_fcd)",
    "ns2": "a script in degrees must be projected to metres first (degrees: true is for sumo_fcd)",
}
_IF_METRES = {
    "sumo_fcd": "leave degrees: true out",
    "csv": "call the columns x_m and y_m (columns: {x_m: lon, y_m: lat})",
}


def refuse_other_unit(
    file: Path,
    format_: str,
    places: FloatArray,
    legs: Legs,
    speeds: SpeedsTold | None,
    *,
    degrees: bool,
    sure: bool,
) -> None:
    """Raises MobilityError where places (K, 2) of a file in a format look as if their unit were
    the other one; `sure` where the scenario says that they are metres."""
    if degrees and format_ in _IF_METRES:
        why = look_like_metres(legs, speeds)
        if why is not None:
            raise MobilityError(
                f"{file}: its places look like metres: {why}; {_IF_METRES[format_]}"
            )
    elif not degrees and not sure:
        why = look_like_degrees(places, legs, speeds)
        if why is not None:
            raise MobilityError(
                f"{file}: its places look like degrees: {why}; {_IF_DEGREES[format_]}, or say "
                "degrees: false where they are metres"
            )
