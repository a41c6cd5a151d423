"""Many devices at the same moments: what each one's trajectory answers, for all of them at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.trajectory import PiecewiseLinear, Static, Trajectory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Path lengths are even within a tenth of a nanometre, which turns no carrier's phase by more than
# its rounding does.
_EVEN_M = 1e-10

_PLACE, _TRAVELLED = slice(0, 2), slice(2, 3)


class FleetMotion:
    """A fleet's motion is the places and path lengths of the devices 0 … M − 1, whose trajectories
    are given.

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
        """The positions (…, T, 2) in m of devices (…) at times in s: the same (T,) for all of them,
        or times (…, T) of each.

        span_s: the first and the last of all the times that are asked for in turn, so that the
        answers are those to all of them at once, to the last bit.
        """
        places, _ = self._along(_PLACE, devices, times_s, span_s)
        return np.moveaxis(places, 0, -1)

    def travelled_m(self, devices: IntArray, times_s: FloatArray) -> FloatArray:
        """The path lengths (…, T) in m of devices (…) at times (T,) or (…, T) in s."""
        lengths, _ = self._along(_TRAVELLED, devices, times_s)
        return np.asarray(lengths[0])

    def steady_m(self, devices: IntArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The path lengths (…) in m at the first of evenly spaced times (T,) or (…, T) in s, and
        what each of them has more than the one before; NaN where that is not always the same."""
        steps = max(times_s.shape[-1] - 1, 1)
        (lengths,), on_one_leg = self._along(_TRAVELLED, devices, times_s[..., [0, -1]])
        first, last = lengths[..., 0], lengths[..., 1]
        step = (last - first) / steps
        if not on_one_leg.all():
            even: dict[tuple[int, bytes], bool] = {}
            for at, device, times in self._each(~on_one_leg, devices, times_s):
                name = device, times.tobytes()
                if name not in even:
                    even[name] = _even(self._trajectories[device].travelled_m(times))
                if not even[name]:
                    step[at] = np.nan
        return first, step

    def _along(
        self,
        rows: slice,
        devices: IntArray,
        times_s: FloatArray,
        span_s: tuple[float, float] | None = None,
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The rows of `_start` (R, …, T) where their devices have come to at these times, and which
        devices (…) are on one straight leg at all of them."""
        if span_s is None:
            first_s, last_s = times_s.min(axis=-1), times_s.max(axis=-1)
        else:
            first_s, last_s = np.asarray(span_s[0]), np.asarray(span_s[1])
        since_s, until_s = self._since_s[devices], self._until_s[devices]
        start, slope = self._start[rows][:, devices], self._slope[rows][:, devices]
        on_one_leg = np.asarray((since_s <= first_s) & (last_s < until_s))
        if not on_one_leg.all():
            for at, device, first in self._each(~on_one_leg, devices, first_s[..., None]):
                if not self._since_s[device] <= first[0] < self._until_s[device]:
                    self._look_up(device, float(first[0]))
                since_s[at], until_s[at] = self._since_s[device], self._until_s[device]
                of: tuple[slice | int, ...] = (slice(None), *at)
                start[of], slope[of] = self._start[rows, device], self._slope[rows, device]
            on_one_leg = np.asarray((since_s <= first_s) & (last_s < until_s))
        turned: list[tuple[tuple[slice | int, ...], FloatArray]] = []
        if not on_one_leg.all():
            positions: dict[tuple[int, bytes], FloatArray] = {}
            for at, device, times in self._each(~on_one_leg, devices, times_s):
                name = device, times.tobytes()
                if name not in positions:
                    positions[name] = self._asked(rows, device, times)
                turned.append(((slice(None), *at), positions[name]))
        passed_s = times_s - since_s[..., None]
        places = passed_s * slope[..., None]
        places += start[..., None]
        for everywhere, answer in turned:
            places[everywhere] = answer
        return places, on_one_leg

    @staticmethod
    def _each(
        chosen: NDArray[np.bool_], devices: IntArray, times_s: FloatArray
    ) -> Iterator[tuple[tuple[int, ...], int, FloatArray]]:
        """Where in (…) the chosen ones of devices (…) are, which ones, and the times (T,) of
        each."""
        times = np.broadcast_to(times_s, (*devices.shape, times_s.shape[-1]))
        for index in np.argwhere(chosen).tolist():
            at = tuple(index)
            yield at, int(devices[at]), times[at]

    def _asked(self, rows: slice, device: int, times_s: FloatArray) -> FloatArray:
        """The rows (R, T) of one device, by its trajectory."""
        path = self._trajectories[device]
        return path.position_m(times_s).T if rows is _PLACE else path.travelled_m(times_s)[None]

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
