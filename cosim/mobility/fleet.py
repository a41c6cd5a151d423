"""Many devices at the same moments: what each one's trajectory answers, for all of them at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Path lengths are even within a tenth of a nanometre, which turns no carrier's phase by more than
# its rounding does.
_EVEN_M = 1e-10

_PLACE, _TRAVELLED = slice(0, 2), slice(2, 3)


class Fleet:
    """Places and path lengths of the devices 0 … M − 1, whose trajectories are given.

    The straight leg that each device is on is remembered, so that moments within it take no
    question to the trajectory; a device that turns between them is asked by itself.
    """

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self._trajectories = trajectories
        # A leg that ends before it begins holds no moment: none is known yet.
        self._since_s = np.zeros(len(trajectories))
        self._until_s = np.full(len(trajectories), -np.inf)
        # x_m, y_m and travelled_m at the leg's beginning, and what they grow by in a second.
        self._start = np.zeros((3, len(trajectories)))
        self._slope = np.zeros((3, len(trajectories)))

    def position_m(
        self,
        devices: IntArray,
        times_s: FloatArray,
        span_s: tuple[float, float] | None = None,
    ) -> FloatArray:
        """The positions (…, T, 2) in m of devices (…) at times (T,) in s.

        span_s: the first and the last of all the times that are asked for in turn, so that the
        answers are those to all of them at once, to the last bit.
        """
        places = self._along(_PLACE, devices, times_s, span_s)
        return np.moveaxis(places, 0, -1)

    def travelled_m(self, devices: IntArray, times_s: FloatArray) -> FloatArray:
        """The path lengths (…, T) in m of devices (…) at times (T,) in s."""
        (lengths,) = self._along(_TRAVELLED, devices, times_s)
        return np.asarray(lengths)

    def steady_m(self, devices: IntArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The path lengths (…) in m at the first of evenly spaced times (T,) in s, and what each
        of them has more than the one before; NaN where that is not always the same."""
        steps = max(len(times_s) - 1, 1)
        first, last = np.moveaxis(self.travelled_m(devices, times_s[[0, -1]]), -1, 0)
        step = (last - first) / steps
        for device in np.unique(devices[~self._on_one_leg(devices, times_s)]).tolist():
            if not _even(self._trajectories[device].travelled_m(times_s)):
                step[devices == device] = np.nan
        return first, step

    def _along(
        self,
        rows: slice,
        devices: IntArray,
        times_s: FloatArray,
        span_s: tuple[float, float] | None = None,
    ) -> FloatArray:
        """The rows of `_start` (R, …, T) where their devices have come to at these times."""
        on_one_leg = self._on_one_leg(devices, times_s if span_s is None else np.array(span_s))
        turning = np.unique(devices[~on_one_leg]).tolist()
        turned = {device: self._asked(rows, device, times_s) for device in turning}
        passed_s = times_s - self._since_s[devices][..., None]
        places = passed_s * self._slope[rows][:, devices][..., None]
        places += self._start[rows][:, devices][..., None]
        for device, answer in turned.items():
            places[:, devices == device] = answer[:, None]
        return places

    def _asked(self, rows: slice, device: int, times_s: FloatArray) -> FloatArray:
        """The rows (R, T) of one device, by its trajectory."""
        path = self._trajectories[device]
        return path.position_m(times_s).T if rows is _PLACE else path.travelled_m(times_s)[None]

    def _on_one_leg(self, devices: IntArray, times_s: FloatArray) -> NDArray[np.bool_]:
        """Which devices (…) are on one known leg at all of the times."""
        first_s, last_s = times_s.min(), times_s.max()
        known = (self._since_s[devices] <= first_s) & (last_s < self._until_s[devices])
        if not known.all():
            for device in np.unique(devices[~known]).tolist():
                self._look_up(device, float(first_s))
            known = (self._since_s[devices] <= first_s) & (last_s < self._until_s[devices])
        return np.asarray(known)

    def _look_up(self, device: int, time_s: float) -> None:
        path = self._trajectories[device]
        if isinstance(path, PiecewiseLinear | Static):
            begin, end = path.leg_at(time_s)
            self._since_s[device], self._until_s[device] = begin[0], end[0]
            self._start[:, device] = begin[1:]
            self._slope[:, device] = (end[1:] - begin[1:]) / (end[0] - begin[0])


def _even(lengths_m: FloatArray) -> bool:
    """Whether path lengths (T,) grow by the same step throughout."""
    line = np.linspace(0.0, 1.0, len(lengths_m))
    line = lengths_m[0] + (lengths_m[-1] - lengths_m[0]) * line
    return bool(np.abs(lengths_m - line).max() <= _EVEN_M)
