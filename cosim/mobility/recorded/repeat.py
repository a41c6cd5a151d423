"""A recorded path that begins again when its file has ended."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.trajectory import checked_times

FloatArray = NDArray[np.float64]

_PERIODS = 1 << 16


@dataclass(frozen=True, eq=False)
class RepeatedPath:
    """A repeated path is a recorded one, over and over: at each multiple of the period the device
    jumps to where it was at 0, and has not travelled for it. ValueError for a period that is not
    positive.

    once: the path.
    period_s: how much of it is repeated, from 0.
    """

    once: RecordedPath
    period_s: float

    def __post_init__(self) -> None:
        if not self.period_s > 0.0:
            raise ValueError(f"the period must be positive, got {self.period_s} s")

    def position_m(self, times_s: ArrayLike) -> FloatArray:
        """As of `RecordedPath`."""
        _, since_s = self._within(times_s)
        return self.once.position_m(since_s)

    def travelled_m(self, times_s: ArrayLike) -> FloatArray:
        """As of `RecordedPath`."""
        number, since_s = self._within(times_s)
        whole_m = self.once.travelled_m(self.period_s)
        return np.asarray(number * whole_m + self.once.travelled_m(since_s))[()]

    @property
    def speed_limit_m_s(self) -> float:
        """The speed of the fastest leg, in m/s; jumps have none."""
        return self.once.speed_limit_m_s

    def jumps_s(self, since_s: float, until_s: float) -> FloatArray:
        """As of `Trajectory`: those of the file, and at its seam, of each period; of no more than
        65,536 periods, beyond which nobody looks at single ones."""
        once_s = self.once.jumps_s(0.0, self.period_s)
        if np.any(self.once.approached_m(self.period_s) != self.once.position_m(0.0)):
            once_s = np.append(once_s, self.period_s)
        if not once_s.size:
            return once_s
        first, last = (int(max(time_s, 0.0) // self.period_s) for time_s in (since_s, until_s))
        last = min(last, first + _PERIODS)
        begins_s = np.arange(first - 1, last + 1)[:, None] * self.period_s
        all_s = (begins_s + once_s).ravel()
        return all_s[(all_s > max(since_s, 0.0)) & (all_s < until_s)]

    def _within(self, times_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """How many periods have passed at these times, and how long the present one lasts, s."""
        number, since_s = np.divmod(checked_times(times_s), self.period_s)
        return number, since_s
