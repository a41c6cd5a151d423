"""Samples that no device can have made: left out, by rules that are the same for all formats that
hold samples, and told.

- Of another time: samples that are alone, each the only one of its device there, or at most one in
  a hundred of the file's, and that lie further from the others in time than ten times what the
  others span, a day at least and a year at most.
- At no place: exactly 0, 0 (a receiver without a fix writes that), where the others are more than
  100 km away.
- Of another place: one sample of a device, or at most one in a hundred, more than 100 km from the
  samples before and after, and reached faster than `max_speed_m_s`.
- A device whose times are broken: three steps or more are faster than 1000 m/s, and no fewer than
  those that are not; steps in no time only count where there are no others. It is left out whole.
"""

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.recorded.legs import Legs, apart_m

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

DAY_S = 86_400.0
YEAR_S = 365.0 * DAY_S
_SPANS, _SHARE, _FEWER = 10.0, 0.01, 3
_FAR_M = 100e3
_BROKEN_M_S, _BROKEN_STEPS = 1e3, 3


def of_another_time(times_s: FloatArray, owner: IntArray) -> BoolArray:
    """Which samples at times (K,) of devices `owner` (K,) are of another time than the others."""
    stray = np.zeros(len(times_s), dtype=bool)
    if np.ptp(times_s) <= DAY_S:
        return stray
    order = np.argsort(times_s, kind="stable")
    time = times_s[order]
    opens = np.concatenate([[True], np.diff(time) > DAY_S])
    piece = np.cumsum(opens) - 1
    begin, end = time[opens], time[np.concatenate([opens[1:], [True]])]
    counts = np.bincount(piece)
    main = int(np.argmax(counts))
    far_s = min(YEAR_S, max(DAY_S, _SPANS * (end[main] - begin[main])))
    away = np.maximum(begin - end[main], begin[main] - end) > far_s
    few = counts <= _SHARE * len(times_s)
    pairs, of_pair = np.unique(piece * (owner.max() + 1) + owner[order], return_counts=True)
    most = np.zeros(len(counts), dtype=np.int64)
    np.maximum.at(most, pairs // (owner.max() + 1), of_pair)
    few |= (most == 1) & (_FEWER * counts <= counts[main])
    stray[order] = (away & few)[piece]
    return stray


def at_no_place(places: FloatArray, *, degrees: bool) -> BoolArray:
    """Which of the places (K, 2) are 0, 0, all others being far away from it."""
    none = np.all(places == 0.0, axis=1)
    if not none.any() or none.all():
        return np.zeros(len(places), dtype=bool)
    others = places[~none]
    away = apart_m(np.zeros_like(others), others, degrees=degrees)
    return none if away.min() > _FAR_M else np.zeros(len(places), dtype=bool)


def of_another_place(samples: int, legs: Legs, max_speed_m_s: float) -> BoolArray:
    """Which of the `samples` are further from their device's others than it can have gone."""
    stray = np.zeros(samples, dtype=bool)
    leaps = legs.faster_than(max_speed_m_s) & (legs.length_m > _FAR_M)
    for device in np.unique(legs.owner[leaps]).tolist():
        of_device = legs.owner == device
        rows = np.concatenate([legs.before[of_device][:1], legs.after[of_device]])
        piece = np.concatenate([[0], np.cumsum(leaps[of_device])])
        counts = np.bincount(piece)
        main = int(np.argmax(counts))
        few = (counts <= max(1.0, _SHARE * len(rows))) & (_FEWER * counts <= counts[main])
        # A piece beside a longer one that is left: a device that goes on somewhere else has moved.
        few[main] = False
        stray[rows[few[piece]]] = True
    return stray


def with_broken_times(devices: int, legs: Legs) -> BoolArray:
    """Which of the `devices` moves faster than anything does, most of the time.

    Steps in no time are teleports, which simulators write, and say nothing of the times of a device
    that has others.
    """
    timed = np.bincount(legs.owner[legs.duration_s > 0.0], minlength=devices) > 0
    fast = legs.faster_than(_BROKEN_M_S) & ((legs.duration_s > 0.0) | ~timed[legs.owner])
    too_fast = np.bincount(legs.owner[fast], minlength=devices)
    walked = np.bincount(legs.owner[legs.moving & ~fast], minlength=devices)
    return np.asarray((too_fast >= _BROKEN_STEPS) & (too_fast >= walked))
