"""How long a sweep will still take, by runs that have ended and rounds of those that go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from statistics import fmean

from cosim.sweeping.index import Entry
from cosim.sweeping.state import State


def wall_s_left(
    entries: Sequence[Entry],
    jobs: int,
    elapsed_s: Mapping[str, float] | None = None,
    projected_s: Mapping[str, float] | None = None,
) -> float | None:
    """Wall time until the last pending run has ended, in s; None where none is completed yet and
    none that goes on has played a round.

    A run takes what those of its point took under other seeds, on average; else what its own
    rounds so far come to; else what all took, of which those that go on count where none has ended.
    elapsed_s: of the runs that go on, by name. The others follow in their order, each when one of
    the jobs is free.
    projected_s: what the rounds of a run that goes on come to until its end, by name.
    """
    running = elapsed_s or {}
    projected_s = projected_s or {}
    pending = [entry for entry in entries if entry.state is State.PENDING]
    if not pending:
        return 0.0
    taken_s: dict[str, list[float]] = defaultdict(list)
    for entry in entries:
        if entry.state is State.COMPLETED and entry.seconds is not None:
            taken_s[entry.point.stem].append(entry.seconds)
    every_s = [seconds for own in taken_s.values() for seconds in own] or [*projected_s.values()]
    if not every_s:
        return None
    usual_s = fmean(every_s)
    expected_s = {
        entry.point.name: fmean(taken_s[entry.point.stem])
        if entry.point.stem in taken_s
        else projected_s.get(entry.point.name, usual_s)
        for entry in pending
    }
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
