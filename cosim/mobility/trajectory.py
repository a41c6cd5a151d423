"""Where a device is and how far it has travelled, as pure functions of simulated time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

Leg = tuple[float, float, float]
"""One straight movement at constant speed: (duration_s, end_x_m, end_y_m); a pause ends where it
began."""

_NEVER: FloatArray = np.empty(0)


@runtime_checkable
class Trajectory(Protocol):
    """A trajectory is a device's path. Answers depend on the times alone, never on the order of the
    questions."""

    def position_m(self, times_s: ArrayLike) -> FloatArray:
        """The position (…, 2) in m at times (…) in s since the start; ValueError if negative."""
        ...

    def travelled_m(self, times_s: ArrayLike) -> FloatArray:
        """The path length ∫|v| dt (…) in m since t = 0, at times (…) in s; it never decreases."""
        ...

    @property
    def speed_limit_m_s(self) -> float:
        """A speed in m/s that the device never exceeds."""
        ...

    def jumps_s(self, since_s: float, until_s: float) -> FloatArray:
        """The moments (J,) in s after `since_s` and before `until_s` at which the device changes
        its place within no time, in order; it has not travelled for it."""
        ...


@dataclass(frozen=True)
class Static:
    """A static device stays where it is.

    x_m, y_m: its place.
    """

    x_m: float
    y_m: float

    def position_m(self, times_s: ArrayLike) -> FloatArray:
        """The position (…, 2) in m, the same at all times (…) in s; ValueError if negative."""
        times = checked_times(times_s)
        return np.broadcast_to([self.x_m, self.y_m], (*times.shape, 2)).astype(np.float64)

    def travelled_m(self, times_s: ArrayLike) -> FloatArray:
        """The path length 0 m (…) at times (…) in s; ValueError if negative."""
        return np.zeros_like(checked_times(times_s))[()]

    def leg_at(self, time_s: float) -> tuple[FloatArray, FloatArray]:
        """As of `PiecewiseLinear`: one rest for ever."""
        checked_times(time_s)
        place = [self.x_m, self.y_m, 0.0]
        return np.array([0.0, *place]), np.array([math.inf, *place])

    @property
    def speed_limit_m_s(self) -> float:
        """0 m/s."""
        return 0.0

    def jumps_s(self, since_s: float, until_s: float) -> FloatArray:
        """None."""
        return _NEVER


class PiecewiseLinear:
    """The path consists of straight legs at constant speeds, drawn from `legs` only as far as
    somebody asks.

    The position is interpolated linearly between the legs' ends and never clipped. After the last
    leg the device stays. Only this object may draw from `legs` (and from the generator behind
    it): then what is asked when changes nothing.
    """

    def __init__(
        self, start_m: tuple[float, float], legs: Iterator[Leg], *, speed_limit_m_s: float
    ) -> None:
        self._legs = legs
        self._speed_limit_m_s = float(speed_limit_m_s)
        # Rows: time_s, x_m, y_m, travelled_m; the capacity doubles, so that a leg costs O(1).
        self._knots = np.zeros((4, 16))
        self._knots[1:3, 0] = start_m
        self._count = 1
        self._ended = False

    @property
    def speed_limit_m_s(self) -> float:
        """A speed in m/s that no leg exceeds."""
        return self._speed_limit_m_s

    def jumps_s(self, since_s: float, until_s: float) -> FloatArray:
        """None: every leg begins where the one before ended."""
        return _NEVER

    def position_m(self, times_s: ArrayLike) -> FloatArray:
        """The position (…, 2) in m at times (…) in s.

        ValueError for a time that is negative or not finite, or a leg that no device can follow.
        """
        times, knots = self._known(times_s)
        x, y = (np.interp(times, knots[0], row) for row in knots[1:3])
        return np.stack([x, y], axis=-1)

    def travelled_m(self, times_s: ArrayLike) -> FloatArray:
        """The path length (…) in m since t = 0, at times (…) in s; errors as `position_m`."""
        times, knots = self._known(times_s)
        return np.asarray(np.interp(times, knots[0], knots[3]))[()]

    def leg_at(self, time_s: float) -> tuple[FloatArray, FloatArray]:
        """The beginning and the end of the leg that holds a moment, the end not included: their
        (time_s, x_m, y_m, travelled_m). After the last leg comes a rest for ever.

        Errors as `position_m`.
        """
        _, knots = self._known(math.nextafter(time_s, math.inf))
        before = int(np.searchsorted(knots[0], time_s, side="right")) - 1
        begin = knots[:, before].copy()
        if before + 1 < knots.shape[1]:
            return begin, knots[:, before + 1].copy()
        return begin, np.array([math.inf, *begin[1:]])

    def _known(self, times_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The times as an array, and knots (4, K) that reach the last of them."""
        times = checked_times(times_s)
        horizon = float(times.max(initial=0.0))
        while not self._ended and self._knots[0, self._count - 1] < horizon:
            leg = next(self._legs, None)
            if leg is None:
                self._ended = True
            else:
                self._append(*leg)
        return times, self._knots[:, : self._count]

    def _append(self, duration_s: float, end_x: float, end_y: float) -> None:
        time, x, y, travelled = self._knots[:, self._count - 1]
        length = math.hypot(end_x - x, end_y - y)
        if duration_s == 0.0 and length == 0.0:
            return
        # The slack covers the rounding of length, duration and places; NaN fails the comparison.
        rounding = 1e-15 * (abs(x) + abs(y) + length)
        if not 0.0 < duration_s < math.inf or not (
            length <= self._speed_limit_m_s * duration_s * (1.0 + 1e-9) + rounding
        ):
            raise ValueError(
                f"a leg of {length} m in {duration_s} s breaks the limit of "
                f"{self._speed_limit_m_s} m/s"
            )
        if self._count == self._knots.shape[1]:
            self._knots = np.concatenate([self._knots, np.zeros_like(self._knots)], axis=1)
        self._knots[:, self._count] = time + duration_s, end_x, end_y, travelled + length
        self._count += 1


def checked_times(times_s: ArrayLike) -> FloatArray:
    """The times as an array; ValueError for one that is negative or not finite."""
    times = np.asarray(times_s, dtype=np.float64)
    if not np.all((times >= 0.0) & np.isfinite(times)):
        raise ValueError(f"times must be finite and not negative, got {times_s!r}")
    return times
