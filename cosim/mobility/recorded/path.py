"""The path of a recorded device: straight legs between samples, and jumps that take no time."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.mobility.availability import Spell
from cosim.mobility.recorded.reading import Recording
from cosim.mobility.trajectory import checked_times

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RecordedPath:
    """A recorded path goes through given places; before the first and after the last a device
    stays.

    Two equal times are a jump: at that instant the device is at the later place, and has not
    travelled for it. A device that is away has a place too. ValueError for no places, times out of
    order, or spells that are not as said.

    name: the device's in the file.
    times_s: times (K,) that never decrease, and may lie before 0.
    x_m, y_m: places (K,).
    presence_s: the disjoint, ordered, non-empty spells [from, until) in s in which the device is
        there; `until` may be infinite, and no spell means never.
    recording: the file that the path is of, if it is of one.
    """

    name: str
    times_s: FloatArray
    x_m: FloatArray
    y_m: FloatArray
    presence_s: tuple[Spell, ...] = ((0.0, math.inf),)
    recording: Recording | None = None
    _travelled_m: FloatArray = field(init=False, repr=False)
    _speed_limit_m_s: float = field(init=False, repr=False)
    _jumps_s: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        duration = np.diff(self.times_s)
        if not self.times_s.size or np.any(duration < 0.0):
            raise ValueError(f"the times of {self.name!r} must be given, and in order")
        gone_s = -math.inf
        for since_s, until_s in self.presence_s:
            if not gone_s <= since_s < until_s:  # NaN fails it too
                raise ValueError(f"the spells of {self.name!r} must be disjoint and in order")
            gone_s = until_s
        walked = np.where(duration > 0.0, np.hypot(np.diff(self.x_m), np.diff(self.y_m)), 0.0)
        travelled = np.concatenate([[0.0], np.cumsum(walked)])
        speeds = walked[duration > 0.0] / duration[duration > 0.0]
        object.__setattr__(self, "_travelled_m", travelled)
        object.__setattr__(self, "_speed_limit_m_s", float(speeds.max(initial=0.0)))
        jumped = (np.diff(self.x_m) != 0.0) | (np.diff(self.y_m) != 0.0)
        object.__setattr__(self, "_jumps_s", self.times_s[1:][jumped & (duration == 0.0)])

    @property
    def speed_limit_m_s(self) -> float:
        """The speed of the fastest leg, in m/s; jumps have none."""
        return self._speed_limit_m_s

    @property
    def jumps(self) -> int:
        """How often the device changes its place within no time."""
        return len(self._jumps_s)

    def jumps_s(self, since_s: float, until_s: float) -> FloatArray:
        """As of `Trajectory`."""
        first = np.searchsorted(self._jumps_s, since_s, side="right")
        return np.unique(self._jumps_s[first : np.searchsorted(self._jumps_s, until_s)])

    @property
    def walks(self) -> int:
        """How many straight legs to another place the device walks."""
        moved = (np.diff(self.x_m) != 0.0) | (np.diff(self.y_m) != 0.0)
        return int(np.sum(moved & (np.diff(self.times_s) > 0.0)))

    @property
    def moves(self) -> bool:
        """Whether the device is ever anywhere else than at first."""
        return bool(np.any(self.x_m != self.x_m[0]) or np.any(self.y_m != self.y_m[0]))

    def position_m(self, times_s: ArrayLike) -> FloatArray:
        """The position (…, 2) in m at times (…) in s; ValueError for a time below 0, or not
        finite."""
        return np.stack(self._at(times_s, self.x_m, self.y_m), axis=-1)

    def approached_m(self, time_s: float) -> FloatArray:
        """The position (2,) in m that a moment in s is approached at: where the device was just
        before it."""
        at = int(np.searchsorted(self.times_s, time_s))
        if at < len(self.times_s) and self.times_s[at] == time_s:
            return np.array([self.x_m[at], self.y_m[at]])
        return self.position_m(time_s)

    def travelled_m(self, times_s: ArrayLike) -> FloatArray:
        """The path length (…) in m since t = 0, jumps left out; errors as `position_m`."""
        walked = self._at(times_s, self._travelled_m)[0]
        # What was walked before the run began does not count.
        return np.asarray(walked - self._at(0.0, self._travelled_m)[0])[()]

    def _at(self, times_s: ArrayLike, *rows: FloatArray) -> list[FloatArray]:
        """The rows, interpolated; np.interp promises nothing where times repeat."""
        times = np.clip(checked_times(times_s), self.times_s[0], self.times_s[-1])
        last = len(self.times_s) - 1
        before = np.searchsorted(self.times_s, times, side="right") - 1
        after = np.minimum(before + 1, last)
        duration = self.times_s[after] - self.times_s[before]
        share = np.where(
            duration > 0.0,
            (times - self.times_s[before]) / np.where(duration > 0.0, duration, 1.0),
            0.0,
        )
        # Rounding must not carry a device beyond a leg's end, and then back.
        ends = [(row[before], row[after]) for row in rows]
        return [np.clip(a + share * (b - a), np.minimum(a, b), np.maximum(a, b)) for a, b in ends]
