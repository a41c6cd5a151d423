"""How a link's Γ is cut into slots: by its fading, by the way of both ends, and by its end.

A slot's rate is that of its middle, so that what a slot gets wrong shrinks with the square of its
width. A slot must be narrow in three respects:

- where fading is Clarke's, no wider than a fraction of the coherence time;
- whatever the fading, the mean gain hardly changes within it: the way of both ends is a small part
  of their distance, and steps (a line of sight lost, a recorded jump) are cut out;
- a transfer takes at least 128 slots: the end of one lies within a slot whose rate is that
  of its middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import ratio_to_db
from cosim.simulation.channel import Channel, Link
from cosim.simulation.grid import Grid, UnevenGrid

FloatArray = NDArray[np.float64]

# A Γ in which anything moves has no fewer slots than that.
FEWEST = 64

# A transfer through in fewer slots than that is solved again, in twice as many.
_SHORT = 128

# The way of both ends in one slot, as a part of how far they are apart (at least where the path
# loss begins to depend on it).
_OF_DISTANCE = 0.03

# The same as a multiple of a way on which shadowing hardly changes: on a longer one, the middle may
# lie between the ends by chance.
_OF_SMOOTH = 3.0

# How much the mean gain may change in a slot, and how far it may be from a straight line there.
# The middle of a slot is then wrong by less than (0.5 dB)²/24 = 6e-4 of the gain, and by less than
# a third of 0.1 dB where shadowing goes to and fro.
_CHANGE_DB, _BEND_DB = 0.5, 0.1

# Steps are cut out to so much of the time considered.
_STEP = 1e-7

# No more slots than that are cut: where shadowing is rougher still, they are samples enough.
_MOST = 8192


def grids(channel: Channel, links: Sequence[Link], begins_s: float, span: int) -> list[Grid]:
    """The slots of each link's `span`-th Γ, which begins at a moment of the clock."""
    deadline_s = channel.radio.deadline_s
    slots = [
        max(count, FEWEST) if count > 1 else count for count in channel.slots(links, deadline_s)
    ]
    counts = np.array(slots, dtype=np.float64)
    even = channel.steady(links, begins_s, deadline_s, counts, _OF_DISTANCE)
    found: list[Grid] = []
    for link, count, whole in zip(links, slots, even, strict=True):
        own = Grid(deadline_s, count, span)
        if not whole:
            cuts_s = _cuts_s(channel, link, begins_s, deadline_s)
            if count > 1:
                cuts_s = _joined(own, cuts_s)
            if len(cuts_s) - 1 != count:
                own = UnevenGrid.of(cuts_s, deadline_s, span)
        found.append(own)
    return found


def finer(channel: Channel, link: Link, grid: Grid, begins_s: float, until_s: float) -> Grid:
    """`grid` with 256 slots until a moment in it, if it has less than 128.

    `begins_s` is the start on the clock of the flight, `until_s` is in s after it.
    """
    slots = grid.slot_at(until_s)
    if grid.slots == 1 or grid.span > 0 or slots >= _SHORT or until_s <= 0.0:
        return grid
    # No slot is so narrow that the clock could not tell its middle from its edges.
    width_s = max(until_s / (2 * _SHORT), 8.0 * math.ulp(begins_s + until_s))
    if isinstance(grid, UnevenGrid):
        head_s = min(1.25 * until_s, grid.deadline_s)
        own = np.linspace(0.0, head_s, math.ceil(head_s / width_s) + 1)
        head = np.union1d(own, _cuts_s(channel, link, begins_s, head_s))
        cuts_s = np.append(head, grid.cuts_s[grid.cuts_s > head_s])
        return UnevenGrid.of(cuts_s, grid.deadline_s, grid.span)
    doublings = math.ceil(math.log2(grid.deadline_s / grid.slots / width_s))
    return Grid(grid.deadline_s, grid.slots << max(doublings, 0), grid.span)


def _joined(even: Grid, cuts_s: FloatArray) -> FloatArray:
    """The edges of equal slots, and of those slots that are narrower than these."""
    width_s = even.deadline_s / even.slots
    narrow = np.flatnonzero(np.diff(cuts_s) < width_s * (1.0 - 1e-9))
    own = np.linspace(0.0, even.deadline_s, even.slots + 1)
    return np.union1d(own, cuts_s[np.union1d(narrow, narrow + 1)])


def _cuts_s(channel: Channel, link: Link, begins_s: float, span_s: float) -> FloatArray:
    """Edges from 0 to `span_s` of slots in which the mean gain of a link hardly changes."""
    if channel.rests(link, begins_s, span_s):
        return np.array([0.0, span_s])
    edges = np.linspace(0.0, span_s, FEWEST + 1)
    since, until = edges[:-1], edges[1:]
    least_s = max(_STEP * span_s, 8.0 * math.ulp(begins_s + span_s))
    kept = []
    while since.size:
        times = begins_s + np.concatenate([since, (since + until) / 2, until])
        times, of = np.unique(times, return_inverse=True)  # most slots begin where one ends
        apart, way, gain = (row[of].reshape(3, -1) for row in channel.course(link, times))
        walked = way[2] - way[0]
        # Between two moments nothing comes nearer than the way that is left for it.
        nearest = np.maximum((apart[0] + apart[2] - walked) / 2, channel.nearest_m)
        level = ratio_to_db(gain)
        rough = walked > _OF_DISTANCE * nearest
        rough |= walked > _OF_SMOOTH * channel.smooth_m
        rough |= np.abs(level[2] - level[0]) > _CHANGE_DB
        rough |= np.abs(level[1] - (level[0] + level[2]) / 2) > _BEND_DB
        rough &= until - since > least_s
        if np.count_nonzero(rough) > _MOST:
            rough[:] = False
        kept.append(since[~rough])
        quarters = np.linspace(since[rough], until[rough], 5)
        since, until = quarters[:-1].ravel(), quarters[1:].ravel()
    return np.append(np.unique(np.concatenate(kept)), span_s)
