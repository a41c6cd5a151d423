"""How a link's Γ is cut into slots: by its fading, by the way of both ends, and by its end.

A slot's rate is that of its middle, so that what a slot gets wrong shrinks with the square of its
width. A slot must be narrow in three respects:

- where fading is Clarke's, no wider than a fraction of the coherence time;
- whatever the fading, the mean gain hardly changes within it: the way of both ends is a small part
  of their distance, and steps (a line of sight lost, a recorded jump) are cut out;
- a transfer takes many slots, because its end lies within one whose rate is that of its middle.

Slots are equal, and as many on as many links as can be, because links of one grid are solved
together. Only steps, and a way that passes very near, take a grid of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import ratio_to_db
from cosim.scenario.radio import ClarkeFading
from cosim.simulation.channel import Channel, Link
from cosim.simulation.grid import Grid, UnevenGrid

FloatArray = NDArray[np.float64]

# A Γ in which anything moves has no fewer slots than that.
FEWEST = 64

# Where these are too wide, narrower equal slots are tried, before slots as the way needs them.
_EVEN = (FEWEST, 4 * FEWEST, 16 * FEWEST)

# A transfer through in fewer slots than that is solved again, in twice as many. Within one slot
# a Clarke fade may be over, but a mean gain changes by 0.5 dB at most.
_SHORT_CLARKE, _SHORT = 128, 32

# The way of both ends in one slot, as a part of how far they are apart (at least where the path
# loss begins to depend on it).
_OF_DISTANCE = 0.03

# How much the mean gain may change in a slot, and how far it may be from a straight line there.
# The middle of a slot is then wrong by less than (0.5 dB)²/24 = 6e-4 of the gain, and by less than
# a third of 0.1 dB where shadowing goes to and fro.
_CHANGE_DB, _BEND_DB = 0.5, 0.1

# Steps are cut out to so much of the time considered.
_STEP = 1e-7

# No more slots than that are cut: where shadowing is rougher still, they are samples enough.
_MOST = 8192

# Links whose ways are looked at together.
_TOGETHER = 1024


def grids(channel: Channel, links: Sequence[Link], begins_s: float, span: int) -> list[Grid]:
    """The slots of each link's `span`-th Γ, which begins at a moment of the clock."""
    if not links:
        return []
    deadline_s = channel.radio.deadline_s
    moves = channel.speed_limits_m_s(links) > 0.0
    counts = np.array(channel.slots(links, deadline_s))
    counts = np.where(moves, np.maximum(counts, FEWEST), counts)
    steady = channel.steady(links, begins_s, deadline_s, counts.astype(float), _OF_DISTANCE)
    jumps = channel.jumps_s(links, begins_s, deadline_s)
    found = [Grid(deadline_s, count, span) for count in counts.tolist()]
    unsure = []
    for k, link in enumerate(links):
        if jumps[k].size:
            cuts_s = _cuts_s(channel, link, begins_s, deadline_s, jumps[k])
            found[k] = _uneven(found[k], cuts_s)
        elif not steady[k]:
            unsure.append(k)
    for first in range(0, len(unsure), _TOGETHER):
        of = unsure[first : first + _TOGETHER]
        own = [links[k] for k in of]
        for k, grid in zip(
            of, _looked_at(channel, own, begins_s, [found[k] for k in of]), strict=True
        ):
            found[k] = grid
    return found


def finer(channel: Channel, grid: Grid, begins_s: float, until_s: float) -> Grid:
    """`grid` with so many slots until a moment in it that its end matters little.

    `begins_s` is the start on the clock of the flight, `until_s` is in s after it.
    """
    short = _SHORT_CLARKE if isinstance(channel.radio.fading, ClarkeFading) else _SHORT
    if grid.slots == 1 or grid.span > 0 or until_s <= 0.0 or grid.slot_at(until_s) >= short:
        return grid
    # No slot is so narrow that the clock could not tell its middle from its edges.
    width_s = max(until_s / (2 * short), 8.0 * math.ulp(begins_s + until_s))
    if isinstance(grid, UnevenGrid):
        head_s = min(1.25 * until_s, grid.deadline_s)
        own = np.linspace(0.0, head_s, math.ceil(head_s / width_s) + 1)
        return UnevenGrid.of(np.union1d(own, grid.cuts_s), grid.deadline_s, grid.span)
    doublings = math.ceil(math.log2(grid.deadline_s / grid.slots / width_s))
    return Grid(grid.deadline_s, grid.slots << max(doublings, 0), grid.span)


def _uneven(even: Grid, cuts_s: FloatArray) -> UnevenGrid:
    """The edges of equal slots, and of those slots that are narrower than these."""
    width_s = even.deadline_s / even.slots
    narrow = np.flatnonzero(np.diff(cuts_s) < width_s * (1.0 - 1e-9))
    own = np.linspace(0.0, even.deadline_s, even.slots + 1)
    cuts_s = np.union1d(own, cuts_s[np.union1d(narrow, narrow + 1)])
    return UnevenGrid.of(cuts_s, even.deadline_s, even.span)


def _looked_at(
    channel: Channel, links: Sequence[Link], begins_s: float, least: Sequence[Grid]
) -> list[Grid]:
    """The slots of links whose ends do not jump, no wider than those of `least`."""
    found = list(least)
    left = np.arange(len(links))
    for slots in _EVEN:
        deadline_s = least[0].deadline_s
        edges = np.linspace(0.0, deadline_s, 2 * slots + 1)
        own = [links[k] for k in left.tolist()]
        apart, way, gain, sees = channel.course(own, begins_s + edges)
        rough = _rough(channel.nearest_m, apart, way, gain, sees)
        stepping = (sees[:, 1:] != sees[:, :-1]).any(axis=1)
        even = ~rough.any(axis=1)
        for k in np.flatnonzero(even).tolist():
            grid = least[left[k]]
            grid = Grid(deadline_s, max(grid.slots, slots), grid.span)
            if stepping[k]:
                halves = np.flatnonzero(sees[k, 1:] != sees[k, :-1])
                steps = [
                    _step_s(channel, own[k], begins_s, edges[half], edges[half + 1])
                    for half in halves.tolist()
                ]
                cuts_s = np.union1d(np.linspace(0.0, deadline_s, grid.slots + 1), np.ravel(steps))
                grid = UnevenGrid.of(cuts_s, deadline_s, grid.span)
            found[left[k]] = grid
        left = left[~even]
        if not left.size:
            return found
    for k in left.tolist():
        cuts_s = _cuts_s(channel, links[k], begins_s, least[k].deadline_s, np.empty(0))
        found[k] = _uneven(least[k], cuts_s)
    return found


def _rough(
    nearest_m: float,
    apart: FloatArray,
    way: FloatArray,
    gain: FloatArray,
    sees: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which of T slots (L, T) are too wide, by what is at their edges and middles (L, 2·T + 1);
    not because a line of sight is lost in them."""
    since, mid, until = slice(0, -2, 2), slice(1, None, 2), slice(2, None, 2)
    walked = way[:, until] - way[:, since]
    # Between two moments nothing comes nearer than the way that is left for it.
    nearest = np.maximum((apart[:, since] + apart[:, until] - walked) / 2, nearest_m)
    level = ratio_to_db(gain)
    bend = level[:, mid] - (level[:, since] + level[:, until]) / 2
    rough = (np.abs(level[:, until] - level[:, since]) > _CHANGE_DB) | (np.abs(bend) > _BEND_DB)
    if sees is not None:
        rough &= (sees[:, since] == sees[:, mid]) & (sees[:, mid] == sees[:, until])
    return np.asarray(rough | (walked > _OF_DISTANCE * nearest))


def _step_s(
    channel: Channel, link: Link, begins_s: float, since_s: float, until_s: float
) -> tuple[float, float]:
    """A line of sight's last moment and the first without it, or the other way round."""
    least_s = max(_STEP * until_s, 8.0 * math.ulp(begins_s + until_s))
    while until_s - since_s > least_s:
        times = np.linspace(since_s, until_s, FEWEST + 1)
        sees = channel.sees(link, begins_s + times)
        at = int(np.argmax(sees != sees[0]))
        if at == 0:
            break
        since_s, until_s = float(times[at - 1]), float(times[at])
    return since_s, until_s


def _cuts_s(
    channel: Channel, link: Link, begins_s: float, span_s: float, jumps_s: FloatArray
) -> FloatArray:
    """Edges from 0 to `span_s` of slots in which the mean gain of a link hardly changes; jumps are
    among them."""
    edges = np.union1d(np.linspace(0.0, span_s, FEWEST + 1), jumps_s[:_MOST])
    since, until = edges[:-1], edges[1:]
    least_s = max(_STEP * span_s, 8.0 * math.ulp(begins_s + span_s))
    kept = []
    while since.size:
        # An edge that is a jump belongs to the slot after it.
        last = np.where(np.isin(until, jumps_s), until - least_s / 8, until)
        times = begins_s + np.stack([since, (since + until) / 2, last], axis=1).ravel()
        apart, way, gain = (row.reshape(-1, 3) for row in channel.course([link], times)[:3])
        rough = _rough(channel.nearest_m, apart, way, gain)[:, 0]
        rough &= until - since > least_s
        if np.count_nonzero(rough) > _MOST:
            rough[:] = False
        kept.append(since[~rough])
        quarters = np.linspace(since[rough], until[rough], 5)
        since, until = quarters[:-1].ravel(), quarters[1:].ravel()
    return np.append(np.unique(np.concatenate(kept)), span_s)
