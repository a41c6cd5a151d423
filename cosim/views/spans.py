"""What each device did when: a round is cut into computing, sending and waiting."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from cosim.trace.reader import Run
from cosim.trace.schema import EventKind

Interval = tuple[float, float]

_ENDS_COMPUTING = {EventKind.COMPUTE_END, EventKind.CUT_OFF, EventKind.ROUND_END}


@dataclass(frozen=True)
class DeviceRound:
    """A device's round goes from `start_s` to `end_s`.

    device, round: whose, and which.
    start_s, end_s: simulated times.
    row: its line in `rounds.parquet`; None if it never ended.
    """

    device: int
    round: int
    start_s: float
    end_s: float
    row: Any = None


@dataclass(frozen=True)
class RoundPhase:
    """A round's phase is a part of it, of one device, with no other at the same time.

    device, round: whose, and of which.
    kind: `compute`, `send` or `wait`.
    start_s, end_s: simulated times.
    """

    device: int
    round: int
    kind: str
    start_s: float
    end_s: float


def device_rounds(run: Run, rounds: Sequence[int]) -> list[DeviceRound]:
    """Every device's rounds among the chosen ones, by device and time, none overlapping.

    A round that a crash cut short, or that still goes on, lasts until the last thing known.
    """
    spans = {
        (row.device, row.round): DeviceRound(row.device, row.round, row.start_s, row.end_s, row)
        for row in _chosen(run.rounds, rounds).itertuples(index=False)
    }
    begun = _chosen(run.events, rounds)
    begun = begun[begun["kind"].isin([EventKind.PLAN, EventKind.COMPUTE_START])]
    until = horizon_s(run)
    for (device, number), start_s in begun.groupby(["device", "round"])["time_s"].min().items():
        spans.setdefault((device, number), DeviceRound(device, number, start_s, until))
    ordered = sorted(spans.values(), key=lambda span: (span.device, span.start_s, span.round))
    return [
        span
        for span, before in zip(ordered, [None, *ordered], strict=False)
        if before is None or before.device != span.device or before.end_s <= span.start_s
    ]


def phases(run: Run, spans: Iterable[DeviceRound]) -> list[RoundPhase]:
    """The rounds cut into phases: computing first, else sending, else waiting.

    A device that is off does not wait: it has no phase then.
    """
    computing, sending, off = computing_spells(run), _sending(run), off_spells(run)
    pieces: list[RoundPhase] = []
    for span in spans:
        compute = _clip(computing[span.device], span.start_s, span.end_s)
        send = _without(_clip(sending[span.device], span.start_s, span.end_s), compute)
        away = _clip(off[span.device], span.start_s, span.end_s)
        wait = _without([(span.start_s, span.end_s)], _merged([*compute, *send, *away]))
        for kind, parts in (("compute", compute), ("send", send), ("wait", wait)):
            pieces += [RoundPhase(span.device, span.round, kind, a, b) for a, b in parts]
    return sorted(pieces, key=lambda phase: (phase.device, phase.start_s))


def lanes(transfers: Any) -> list[int]:
    """A lane, from 0, for each transfer, so that no two of a sender overlap in one lane."""
    free_from: dict[int, list[float]] = defaultdict(list)
    lane_of: dict[int, int] = {}
    columns = zip(
        transfers["start_s"], transfers["src"], transfers["dst"], transfers["end_s"], strict=True
    )
    for (start_s, src, _, end_s), place in sorted(
        (row, place) for place, row in enumerate(columns)
    ):
        busy = free_from[src]
        lane = next((k for k, free in enumerate(busy) if free <= start_s), len(busy))
        busy[lane : lane + 1] = [max(end_s, math.nextafter(start_s, math.inf))]
        lane_of[place] = lane
    return [lane_of[place] for place in range(len(lane_of))]


def horizon_s(run: Run) -> float:
    """The last simulated time that the traces know of."""
    columns = (run.events["time_s"], run.transfers["end_s"], run.rounds["end_s"])
    return max((float(column.max()) for column in columns if len(column)), default=0.0)


def _chosen(table: Any, rounds: Sequence[int]) -> Any:
    return table[table["round"].isin(rounds)]


def computing_spells(run: Run) -> defaultdict[int, list[Interval]]:
    """Each device's spells of computing."""
    return _spells(run, {EventKind.COMPUTE_START}, _ENDS_COMPUTING)


def away_at(run: Run, time_s: float) -> set[int]:
    """The devices that are switched off at a moment."""
    return {
        device
        for device, spells in off_spells(run).items()
        if any(start_s <= time_s < end_s for start_s, end_s in spells)
        or (spells and spells[-1][1] == time_s == horizon_s(run))
    }


def off_spells(run: Run) -> defaultdict[int, list[Interval]]:
    """Each device's spells of being away."""
    return _spells(run, {EventKind.LEAVE, EventKind.CUT_OFF}, {EventKind.JOIN})


def _spells(
    run: Run, begins: Set[EventKind], ends: Set[EventKind]
) -> defaultdict[int, list[Interval]]:
    """Each device's spells between two kinds of its events; an open one lasts to the horizon."""
    spells: defaultdict[int, list[Interval]] = defaultdict(list)
    since: dict[int, float] = {}
    columns = (run.events[name] for name in ("time_s", "device", "kind"))
    for time_s, device, kind in zip(*columns, strict=True):
        if kind in begins:
            since.setdefault(device, time_s)
        elif kind in ends and device in since:
            spells[device].append((since.pop(device), time_s))
    until = horizon_s(run)
    for device, start_s in since.items():
        spells[device].append((start_s, until))
    return spells


def _sending(run: Run) -> defaultdict[int, list[Interval]]:
    """The intervals in which each device has something of its own in the air.

    A transfer that a crash left without a row began with an event and lasts to the horizon.
    """
    spells: defaultdict[int, list[Interval]] = defaultdict(list)
    rows = run.transfers
    for src, start_s, end_s in zip(rows["src"], rows["start_s"], rows["end_s"], strict=True):
        spells[src].append((start_s, end_s))
    ended = set(rows["number"])
    begun: Any = run.events[run.events["kind"] == EventKind.SEND_START]
    until = horizon_s(run)
    for row in begun.itertuples(index=False):
        if row.transfer not in ended:
            spells[row.device].append((row.time_s, until))
    return defaultdict(list, {device: _merged(parts) for device, parts in spells.items()})


def _merged(parts: Iterable[Interval]) -> list[Interval]:
    """The union, in order."""
    union: list[Interval] = []
    for start, end in sorted(parts):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return union


def _clip(parts: Sequence[Interval], low: float, high: float) -> list[Interval]:
    """The parts of disjoint, ordered intervals that lie between low and high."""
    first = max(bisect_right(parts, (low, math.inf)) - 1, 0)
    inside = []
    for start, end in parts[first:]:
        if start >= high:
            break
        if min(end, high) > max(start, low):
            inside.append((max(start, low), min(end, high)))
    return inside


def _without(parts: Sequence[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """The parts less what is taken; both ordered and disjoint."""
    rest = []
    for low, high in parts:
        for start, end in _clip(taken, low, high):
            if start > low:
                rest.append((low, start))
            low = end
        if high > low:
            rest.append((low, high))
    return rest
