"""How long a sweep will still take, by runs that have ended and rounds of those that go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from statistics import fmean
from typing import NamedTuple

from cosim.sweeping.index import Entry
from cosim.sweeping.state import State


class Outlook(NamedTuple):
    """An outlook is what the rounds of a run that goes on come to.

    end_s: its wall time at its last round, since it was sent to whoever plays it.
    whole_s: what a run like it takes from its start, where this one may have been resumed.
    """

    end_s: float
    whole_s: float


def wall_s_left(
    entries: Sequence[Entry],
    jobs: int,
    elapsed_s: Mapping[str, float] | None = None,
    outlooks: Mapping[str, Outlook] | None = None,
) -> float | None:
    """Wall time until the last pending run has ended, in s; None where none is completed yet and
    of none that goes on there is an outlook.

    A run takes what those of its point took under other seeds, on average; else what its own rounds
    come to, or those of its point that go on; else what all took that have ended, or where none
    has, what those that go on come to. elapsed_s: of the runs that go on, by name. The others
    follow in their order, each when one of the jobs is free.
    """
    running, projected = elapsed_s or {}, outlooks or {}
    pending = [entry for entry in entries if entry.state is State.PENDING]
    if not pending:
        return 0.0
    taken_s: dict[str, list[float]] = defaultdict(list)
    coming_s: dict[str, list[float]] = defaultdict(list)
    for entry in entries:
        if entry.state is State.COMPLETED and entry.seconds is not None:
            taken_s[entry.point.place].append(entry.seconds)
        elif entry.point.name in projected:
            coming_s[entry.point.place].append(projected[entry.point.name].whole_s)
    every_s = [seconds for times_s in (taken_s or coming_s).values() for seconds in times_s]
    if not every_s:
        return None
    usual_s = fmean(every_s)
    expected_s = {}
    for entry in pending:
        name, place = entry.point.name, entry.point.place
        if place in taken_s:
            expected_s[name] = fmean(taken_s[place])
        elif name in projected:
            expected_s[name] = projected[name].end_s
        else:
            expected_s[name] = fmean(coming_s.get(place, [usual_s]))
    free_at_s = [
        max(expected_s[name] - spent_s, 0.0)
        for name, spent_s in running.items()
        if name in expected_s
    ]
    free_at_s += [0.0] * (jobs - len(free_at_s))
    heapify(free_at_s)
    for name, seconds in expected_s.items():
        if name not in running:
            heapreplace(free_at_s, free_at_s[0] + seconds)
    return max(free_at_s)
