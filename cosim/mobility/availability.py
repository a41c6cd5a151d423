"""When a device is there or switched on: intervals of simulated time."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Spell = tuple[float, float]
"""One stay: [from, until) in s, with from < until; `until` may be infinite."""


@dataclass(frozen=True)
class Afresh:
    """These spells begin anew, and are the same, whenever they are gone through: whoever looks at
    them takes none from anybody else.

    begun: begins them, with a random generator of its own.
    """

    begun: Callable[[], Iterator[Spell]]

    def __iter__(self) -> Iterator[Spell]:
        return self.begun()


def exponential_spells(
    random: np.random.Generator, mean_on_s: float, mean_off_s: float
) -> Iterator[Spell]:
    """The endless, ordered and disjoint spells in s, from 0 on, in which a device is on.

    An alternating renewal process: on for Exp(`mean_on_s`), off for Exp(`mean_off_s`), all
    independent. It is stationary from t = 0: on at 0 with probability p = on/(on + off), and what
    is left then of the spell or the pause has the law of a whole one (exponentials have no
    memory), so that P(on at t | on at 0) = p + (1 − p)·e^(−t/on − t/off).

    `random` must be this iterator's own: it is drawn from when a spell is asked for.
    ValueError, at the call, unless both means are finite and positive.
    """
    if not (0.0 < mean_on_s < math.inf and 0.0 < mean_off_s < math.inf):
        raise ValueError(
            f"mean_on_s and mean_off_s must be finite and positive, got {mean_on_s} and "
            f"{mean_off_s}"
        )
    return _alternating(random, mean_on_s, mean_off_s)


def ended(spells: Iterable[Spell] | None, end_s: float) -> Iterator[Spell]:
    """The spells (None: always) as far as they lie before `end_s`, in s."""
    for since_s, until_s in ((0.0, math.inf),) if spells is None else spells:
        if since_s >= end_s:
            return
        yield since_s, min(until_s, end_s)


def repeated(spells: Sequence[Spell], period_s: float) -> Iterator[Spell]:
    """What of the spells lies in [0, `period_s`), over and over; endless if there is anything."""
    once = [(max(since_s, 0.0), min(until_s, period_s)) for since_s, until_s in spells]
    once = [(since_s, until_s) for since_s, until_s in once if since_s < until_s]
    if once == [(0.0, period_s)]:
        yield 0.0, math.inf
        return
    # One that lasts to the end of a period goes on into the next that begins with one.
    joins = len(once) > 1 and once[0][0] == 0.0 and once[-1][1] == period_s
    if joins:
        yield once[0]
        once = [*once[1:-1], (once[-1][0], period_s + once[0][1])]
    number = 0
    while once:
        for since_s, until_s in once:
            yield number * period_s + since_s, number * period_s + until_s
        number += 1


def _alternating(
    random: np.random.Generator, mean_on_s: float, mean_off_s: float
) -> Iterator[Spell]:
    since_s = 0.0
    # Not on/(on + off), whose sum may overflow.
    if random.random() >= 1.0 / (1.0 + mean_off_s / mean_on_s):
        since_s = _later(since_s, random.exponential(mean_off_s))
    while True:
        until_s = _later(since_s, random.exponential(mean_on_s))
        yield since_s, until_s
        since_s = _later(until_s, random.exponential(mean_off_s))


def _later(time_s: float, by_s: float) -> float:
    """The later time; the next number at least, as a short spell late in a run rounds to none."""
    return max(time_s + by_s, math.nextafter(time_s, math.inf))
