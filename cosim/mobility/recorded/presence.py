"""When a recorded device is there: from what was seen of it, or by its switches.

Where a file holds samples (SUMO FCD, GPX, CSV):

- A device comes with its first sample and leaves at its last.
- Between two samples more than `max_gap_s` apart it is away, whether it moved meanwhile or not.
- A file of SUMO's shows at every timestep all that is there: one that misses a device between two
  of its samples tells that it was away from the one to the other, however short that was.
- A sample alone between two absences gives no spell: nothing tells how long it holds.
- A device without two samples that belong together, such as one with a single sample, is there
  from its first sample on, without end: nothing tells that it ever left.

Where a file holds switches (ns-2), a device is there from 0 on, except from an `off` to the next
`on`. One whose first switch is an `on` was off before it.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.availability import Spell

FloatArray = NDArray[np.float64]


def sampled(times_s: FloatArray, seen_s: FloatArray, *, max_gap_s: float) -> tuple[Spell, ...]:
    """The spells of a device with samples at `times_s` (K,), in any order, K ≥ 1.

    `seen_s` (T,), sorted and without repetitions, are the times at which the file shows all that
    is there, `times_s` among them; none (T = 0) where the file has no such times.
    """
    times = np.unique(times_s)
    away = np.diff(times) > max_gap_s
    away |= np.diff(np.searchsorted(seen_s, times)) > 1
    comes = times[np.concatenate([[True], away])].tolist()
    leaves = times[np.concatenate([away, [True]])].tolist()
    spells = _joined(zip(comes, leaves, strict=True))
    return spells or ((float(times[0]), math.inf),)


def switched(switches: Sequence[tuple[float, bool]]) -> tuple[Spell, ...]:
    """The spells of a device by its switches (time in s ≥ 0, whether on), in the order in which
    they happen; none for a device that is never on."""
    spells: list[Spell] = []
    since_s = None if switches and switches[0][1] else 0.0
    for time_s, on in switches:
        if on and since_s is None:
            since_s = time_s
        elif not on and since_s is not None:
            spells.append((since_s, time_s))
            since_s = None
    if since_s is not None:
        spells.append((since_s, math.inf))
    return _joined(spells)


def shifted(spells: Iterable[Spell], by_s: float) -> tuple[Spell, ...]:
    """The spells `by_s` seconds later; those that vanish in the rounding are left out."""
    return _joined((since_s + by_s, until_s + by_s) for since_s, until_s in spells)


def _joined(spells: Iterable[Spell]) -> tuple[Spell, ...]:
    """Ordered spells without the empty ones, and in one where they touch."""
    union: list[Spell] = []
    for since_s, until_s in spells:
        if union and since_s <= union[-1][1]:
            union[-1] = (union[-1][0], until_s)
        elif since_s < until_s:
            union.append((since_s, until_s))
    return tuple(union)
