"""The steps between a device's samples, for all devices of a file at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Of the mean meridian of WGS 84; places are only compared with it, never moved.
METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True)
class Legs:
    """Legs are the steps (L,) from each sample to the same device's next one in time.

    before, after: rows of the two samples.
    owner: number of the device.
    duration_s, length_m: time and distance between them.
    backwards: whether the file has the two in the other order.
    """

    before: IntArray
    after: IntArray
    owner: IntArray
    duration_s: FloatArray
    length_m: FloatArray
    backwards: int

    @property
    def moving(self) -> BoolArray:
        """Steps to another place."""
        return self.length_m > 0.0

    def faster_than(self, speed_m_s: float) -> BoolArray:
        """Steps to another place at more than a speed, or in no time."""
        return self.moving & (self.length_m > speed_m_s * self.duration_s)


def legs_of(samples: FloatArray, owner: IntArray, *, degrees: bool) -> Legs:
    """The steps of samples (K, 3) of time_s, x, y that belong to devices `owner` (K,), which are
    grouped; with `degrees` a place is latitude and longitude, and lengths are approximate."""
    same = owner[1:] == owner[:-1]
    backwards = int(np.sum(same & (samples[1:, 0] < samples[:-1, 0])))
    order = np.arange(len(samples))
    if backwards:
        order = np.lexsort((samples[:, 0], owner))
    rows = np.flatnonzero(same)
    before, after = order[rows], order[rows + 1]
    return Legs(
        before,
        after,
        owner[before],
        samples[after, 0] - samples[before, 0],
        apart_m(samples[before, 1:], samples[after, 1:], degrees=degrees),
        backwards,
    )


def apart_m(here: FloatArray, there: FloatArray, *, degrees: bool) -> FloatArray:
    """Distances (K,) between places (K, 2) in m; in degrees, on a plane that is true nearby."""
    first, second = (there - here).T
    if degrees:
        second = (second + 180.0) % 360.0 - 180.0
        second = second * np.cos(np.radians((here[..., 0] + there[..., 0]) / 2.0))
        return np.asarray(METRES_PER_DEGREE * np.hypot(first, second))
    return np.asarray(np.hypot(first, second))
