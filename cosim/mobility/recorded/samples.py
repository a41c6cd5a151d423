"""What an importer gives: every device's samples as they stand in the file, and how they become
a path.

Policies, the same for all formats:

- Rows of a device may come in any order; they are sorted by time.
- Equal times at the same place are one sample. At another place they are a teleport at that
  time, and the later row wins.
- Between two samples a device walks straight, at one speed, if they are at most `max_gap_s`
  apart and the speed is at most `max_speed_m_s`; else it stays put, and jumps when the later
  sample is due.
- Before its first and after its last sample a device stays at that sample's place.
- Whether it is there at all is another matter: `cosim.mobility.recorded.presence`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import MobilityError
from cosim.mobility.availability import Spell
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.reading import Recording
from cosim.mobility.recorded.units import SpeedsTold

FloatArray = NDArray[np.float64]

# Beyond these, in m and s, a number is a mistake, and arithmetic on it might overflow.
MAX_METRES = 1e9
MAX_SECONDS = 1e12


@dataclass(frozen=True)
class Samples:
    """Samples are all that a file says, in its own clock's seconds.

    devices: device → flat [time, x, y, time, x, y, …], in order of appearance.
    degrees: whether x and y are latitude and longitude; else they are metres.
    complete: whether it gives the whole movement, so that no gap is too long to walk.
    presence_s: a device's spells, from a file that tells them; else None.
    seen_s: times, in any order, at which a file shows all that are there.
    speeds: what the file says of speeds.
    notes: sentences about what was left out.
    """

    devices: Mapping[str, list[float]]
    degrees: bool = False
    complete: bool = False
    presence_s: Mapping[str, tuple[Spell, ...]] | None = None
    seen_s: Sequence[float] = ()
    speeds: SpeedsTold | None = None
    notes: tuple[str, ...] = ()


def refuse(file: Path, line: int | None, problem: str) -> MobilityError:
    """The error `file:line: problem`, for raising."""
    return MobilityError(f"{file}{'' if line is None else f':{line}'}: {problem}")


def number(text: str | None, name: str, file: Path, line: int | None, *, most: float) -> float:
    """The number in a field of the file; MobilityError unless it is finite and |x| ≤ `most`."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) <= most or (text is not None and "_" in text):
        problem = "is missing" if text is None else f"is {text.strip()[:40]!r}"
        hint = _time_hint(text or "", value) if most == MAX_SECONDS else ""
        raise refuse(file, line, f"{name} {problem}; expected a number of at most ±{most:g}{hint}")
    return value


def _time_hint(text: str, value: float) -> str:
    """A guess at what a time is that is no number of seconds."""
    if re.fullmatch(r"\s*\d+(:\d+)+(\.\d*)?\s*|\s*\d{4}-\d\d-\d\d.*", text):
        return ", in seconds: dates and hours are read from GPX alone"
    # From 1e12 on, milliseconds since 1970 are of this century.
    return ", in seconds: these may be milliseconds" if 1e12 < abs(value) < 1e13 else ""


def latitude_longitude(
    latitude: str | None, longitude: str | None, file: Path, line: int | None
) -> tuple[float, float]:
    """A place in degrees, longitude in −180…360; MobilityError if it is none."""
    lat = number(latitude, "the latitude", file, line, most=90.0)
    lon = number(longitude, "the longitude", file, line, most=360.0)
    if lon < -180.0:
        raise refuse(file, line, f"the longitude is {lon:g}; expected −180 to 360")
    return lat, lon


def untimed_note(count: int) -> tuple[str, ...]:
    """The sentence about samples that were left out for want of a time, if there are any."""
    return (f"samples without a time that are left out (untimed: skip): {count}",) if count else ()


def to_path(
    name: str,
    samples: FloatArray,
    presence_s: tuple[Spell, ...],
    recording: Recording | None = None,
    *,
    max_gap_s: float,
    max_speed_m_s: float,
) -> RecordedPath:
    """A device's path from its samples (K, 3) of time_s, x_m, y_m, by the policies above, and
    when it is there (s, same clock), of a recording."""
    rows = samples[np.argsort(samples[:, 0], kind="stable")]
    time = rows[:, 0]
    # Of rows at one time the first is where the device came to, the last where it went on.
    new = np.diff(time) > 0.0
    ends = np.concatenate([[True], new]) | np.concatenate([new, [True]])
    rows = rows[ends]
    rows = rows[np.concatenate([[True], np.any(np.diff(rows, axis=0) != 0.0, axis=1)])]
    duration = np.diff(rows[:, 0])
    length = np.hypot(np.diff(rows[:, 1]), np.diff(rows[:, 2]))
    broken = (duration > 0.0) & (length > 0.0)
    broken &= (duration > max_gap_s) | (length > max_speed_m_s * duration)
    after = np.flatnonzero(broken) + 1
    waiting = np.column_stack([rows[after, 0], rows[after - 1, 1:]])
    time_s, x_m, y_m = np.insert(rows, after, waiting, axis=0).T.copy()
    return RecordedPath(name, time_s, x_m, y_m, presence_s, recording)
