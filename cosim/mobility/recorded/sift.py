"""What is left of a file's samples without those that no device can have made, and what is said of
it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.recorded.legs import Legs, legs_of
from cosim.mobility.recorded.samples import refuse
from cosim.mobility.recorded.strays import (
    DAY_S,
    YEAR_S,
    at_no_place,
    of_another_place,
    of_another_time,
    with_broken_times,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_NAMED = 5
# Dates are said of clocks that count from 1970 and are in this century or the one before.
_EPOCHS_S = (1e8, 4.1e9)


def sifted(
    samples: FloatArray,
    owner: IntArray,
    legs: Legs,
    names: Sequence[str],
    degrees: bool,
    max_speed_m_s: float,
) -> tuple[BoolArray, list[str]]:
    """Which of the samples (K, 3) of time_s, x, y of devices `owner` (K,) are kept, by the rules of
    `cosim.mobility.recorded.strays`, and sentences about the others."""
    rows = np.arange(len(samples))
    notes = []

    def leave_out(stray: BoolArray, why: str) -> None:
        nonlocal rows, legs
        count = int(stray.sum())
        if count:
            whose = listed([names[device] for device in np.unique(owner[rows[stray]]).tolist()])
            samples_are = "sample is" if count == 1 else "samples are"
            notes.append(f"{count} {samples_are} left out, being {why}: of {whose}")
            rows = rows[~stray]
            legs = legs_of(samples[rows], owner[rows], degrees=degrees)

    dated = _dated(samples[:, 0])
    stray = of_another_time(samples[:, 0], owner)
    leave_out(stray, f"at a time far from all others, {_times(samples[stray, 0], dated)}")
    leave_out(at_no_place(samples[rows, 1:], degrees=degrees), "at 0, 0, far from all others")
    leave_out(
        of_another_place(len(rows), legs, max_speed_m_s),
        f"too far from the device's others for {max_speed_m_s:g} m/s, more than 100 km",
    )
    lost = np.setdiff1d(owner, owner[rows])
    if lost.size:
        named = listed([names[device] for device in lost.tolist()])
        notes.append(f"devices of which no sample is left: {named}")
    broken = with_broken_times(len(names), legs)
    if broken.any():
        named = listed([names[device] for device in np.flatnonzero(broken).tolist()])
        notes.append(
            "devices left out because their times are broken (most steps are faster than 1000 "
            f"m/s): {named}"
        )
    if legs.backwards:
        notes.append(
            f"samples earlier than the one before them in the file, put in order: {legs.backwards}"
        )
    keep = np.zeros(len(samples), dtype=bool)
    keep[rows] = True
    return keep & ~broken[owner], notes


def silences(file: Path, times_s: FloatArray, origin_s: float) -> list[str]:
    """Sentences about days in which nobody has a sample, by times (K,) in s of the run's clock.

    MobilityError for a year of silence: such a file holds recordings that do not belong together.
    """
    sampled_s = np.unique(times_s[times_s >= 0.0])
    if not sampled_s.size:
        return ["all samples are before the start of the run (time_origin)"]
    notes = []
    if sampled_s[0] > DAY_S:
        later = lasting(float(sampled_s[0]))
        notes.append(f"the first sample is {later} after the start of the run (time_origin)")
    silent_s = np.diff(sampled_s)
    long = int(np.sum(silent_s > DAY_S))
    if long:
        at = int(np.argmax(silent_s))
        longest = lasting(float(silent_s[at]))
        begins, ends = float(sampled_s[at]), float(sampled_s[at + 1])
        clock_s = np.array([begins, ends]) + origin_s
        when = _times(clock_s, _dated(clock_s))
        if silent_s[at] > YEAR_S:
            raise refuse(
                file,
                None,
                f"no device has a sample for {longest}, between {when}: these are recordings of "
                "different times; cut the file to one of them, or begin at the later one with "
                f"time_origin: {ends + origin_s:.17g}",
            )
        notes.append(
            f"no device has a sample for more than a day, {long} times; the longest silence is "
            f"{longest}, between {when}"
        )
    return notes


def lasting(seconds: float) -> str:
    """A time in the largest unit that it holds."""
    for name, unit_s in (("years", YEAR_S), ("days", DAY_S), ("h", 3600.0)):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {name}"
    return f"{seconds:g} s"


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many there are beside them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more


def _dated(times_s: FloatArray) -> bool:
    """Whether a clock counts from 1970, as far as its times (K,) show."""
    return bool(np.any((times_s > _EPOCHS_S[0]) & (times_s < _EPOCHS_S[1])))


def _times(times_s: FloatArray, dated: bool) -> str:
    """The first and the last of some times of the file's clock, as dates where it has them."""
    moments = [f"{time_s:.12g} s{_date(time_s) if dated else ''}" for time_s in times_s.tolist()]
    return " and ".join(dict.fromkeys([*moments[:1], *moments[-1:]]))


def _date(time_s: float) -> str:
    if not 0.0 <= time_s < _EPOCHS_S[1]:
        return ""
    return datetime.fromtimestamp(time_s, UTC).strftime(" (%Y-%m-%d)")
