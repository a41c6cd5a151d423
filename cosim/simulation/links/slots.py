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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import ratio_to_db
from cosim.simulation.links.channel import Channel, Link
from cosim.simulation.links.grid import Grid, UnevenGrid

FloatArray = NDArray[np.float64]

# A Γ in which anything moves has no fewer slots than that.
FEWEST = 64

# Where these are too wide, narrower equal slots are tried, before slots as the way needs them.
_EVEN = (FEWEST, 4 * FEWEST, 16 * FEWEST)

# A transfer through in fewer slots than that is solved again, in twice as many. Within one slot
# a fade may be over, but a mean gain changes by 0.5 dB at most.
_SHORT_FADING, _SHORT = 128, 32

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

# No more slots than that are cut: where shadowing is rougher still, they are samples enough, and
# even, because the slots in which it looks smooth would be those at its extremes.
_MOST = 8192

# Links whose ways are looked at together.
_TOGETHER = 1024


def grids(
    channel: Channel, links: Sequence[Link], begins_s: Sequence[float], span: int
) -> list[Grid]:
    """The slots of each link's `span`-th Γ, which begins at a moment of the clock of its own."""
    if not links:
        return []
    deadline_s, begins = channel.radio.deadline_s, np.array(begins_s, dtype=np.float64)
    moves = channel.speed_limits_m_s(links) > 0.0
    counts = np.array(channel.slots(links, deadline_s))
    counts = np.where(moves, np.maximum(counts, FEWEST), counts)
    steady = channel.steady(links, begins, deadline_s, counts.astype(float), _OF_DISTANCE)
    jumps = channel.jumps_s(links, begins_s, deadline_s)
    equal = {count: Grid(deadline_s, count, span) for count in set(counts.tolist())}
    slots = [equal[count] for count in counts.tolist()]
    unsure = [k for k, still in enumerate(steady.tolist()) if jumps[k].size or not still]
    for first in range(0, len(unsure), _TOGETHER):
        of = unsure[first : first + _TOGETHER]
        look = _Look(channel, begins[of], [links[k] for k in of], [jumps[k] for k in of])
        for k, grid in zip(of, look.grids([slots[k] for k in of]), strict=True):
            slots[k] = grid
    return slots


def finer(channel: Channel, grid: Grid, begins_s: float, until_s: float) -> Grid:
    """`grid` with so many slots until a moment in it that its end matters little.

    `begins_s` is the start on the clock of the transmission, `until_s` is in s after it.
    """
    short = _SHORT_FADING if channel.fades_within_rounds else _SHORT
    if grid.slots == 1 or grid.span > 0 or until_s <= 0.0 or grid.slot_at(until_s) >= short:
        return grid
    # No slot is so narrow that the clock could not tell its middle from its edges.
    width_s = max(until_s / (2 * short), 8.0 * math.ulp(begins_s + until_s))
    if isinstance(grid, UnevenGrid):
        head_s = min(1.25 * until_s, grid.deadline_s)
        head_cuts_s = np.linspace(0.0, head_s, math.ceil(head_s / width_s) + 1)
        return UnevenGrid.of(np.union1d(head_cuts_s, grid.cuts_s), grid.deadline_s, grid.span)
    doublings = math.ceil(math.log2(grid.deadline_s / grid.slots / width_s))
    return Grid(grid.deadline_s, grid.slots << max(doublings, 0), grid.span)


@dataclass(frozen=True)
class _Look:
    """A closer look at links through one Γ of each.

    channel: what the links' gains are read from.
    begins_s: the begins (L,) of the Γs on the clock.
    links: the links (L,).
    jumps_s: when an end of each link jumps, in s after `begins_s`.
    """

    channel: Channel
    begins_s: FloatArray
    links: Sequence[Link]
    jumps_s: Sequence[FloatArray]

    def grids(self, least: Sequence[Grid]) -> list[Grid]:
        """The slots of each link, no wider than those of `least`."""
        grids, open_ = list(least), np.arange(len(self.links))
        deadline_s = least[0].deadline_s
        for slots in _EVEN:
            edges = np.linspace(0.0, deadline_s, 2 * slots + 1)
            links = [self.links[k] for k in open_.tolist()]
            apart, way, gain, sees = self.channel.course(links, self.begins_s[open_, None] + edges)
            lost = sees[:, 1:] != sees[:, :-1]
            cut = lost[:, ::2] | lost[:, 1::2]
            for row, k in enumerate(open_.tolist()):
                cut[row, np.searchsorted(edges[2::2], self.jumps_s[k])] = True
            far = ~_near(self.channel, apart, way).any(axis=1)
            level = ratio_to_db(gain)
            # A jump is no way: a slot that holds one may still be too long for the shadowing.
            rough = (_bent(level) & ~cut) | (_walked_m(way) > _OF_SMOOTH * self.channel.smooth_m)
            smooth = ~rough.any(axis=1)
            ends = far & (smooth | (slots == _EVEN[-1]))
            for row in np.flatnonzero(ends).tolist():
                k = int(open_[row])
                even = max(least[k].slots, slots if smooth[row] else _MOST)
                steps = [
                    self._step_s(k, *edges[half : half + 2]) for half in np.flatnonzero(lost[row])
                ]
                cuts_s = np.concatenate([self.jumps_s[k], *steps])
                grids[k] = _cut(Grid(deadline_s, even, least[k].span), cuts_s)
            open_ = open_[~ends]
            if not open_.size:
                return grids
        for k in open_.tolist():
            grids[k] = _cut(least[k], self._narrow_s(k, least[k]))
        return grids

    def _narrow_s(self, k: int, least: Grid) -> FloatArray:
        """The edges that a link needs besides those of its equal slots: jumps, and slots that are
        narrower than these."""
        cuts = np.unique(self._cuts_s(k, least))
        width_s = least.deadline_s / least.slots
        narrow = np.flatnonzero(np.diff(cuts) < width_s * (1.0 - 1e-9))
        return np.union1d(cuts[np.union1d(narrow, narrow + 1)], self.jumps_s[k])

    def _step_s(self, k: int, since_s: float, until_s: float) -> tuple[float, float]:
        """The last moment before a line of sight is lost or won, and the first after it."""
        begins_s = float(self.begins_s[k])
        least_s = _least_s(begins_s, until_s)
        while until_s - since_s > least_s:
            times = np.linspace(since_s, until_s, FEWEST + 1)
            sees = self.channel.sees(self.links[k], begins_s + times)
            after = max(int(np.argmax(sees != sees[0])), 1)
            since_s, until_s = float(times[after - 1]), float(times[after])
        return since_s, until_s

    def _cuts_s(self, k: int, least: Grid) -> FloatArray:
        """Edges of slots as narrow as the mean gain needs each."""
        shadowed = self.channel.radio.shadowing.sigma_db > 0.0
        span_s, slots = least.deadline_s, _MOST if shadowed else FEWEST
        edges = np.union1d(np.linspace(0.0, span_s, slots + 1), self.jumps_s[k])
        since, until = edges[:-1], edges[1:]
        begins_s = float(self.begins_s[k])
        least_s = _least_s(begins_s, span_s)
        cuts = [edges]
        while since.size:
            # An edge that is a jump belongs to the slot after it.
            last = np.where(np.isin(until, self.jumps_s[k]), until - least_s / 8, until)
            times = begins_s + np.stack([since, (since + until) / 2, last], axis=1).ravel()
            apart, way, gain, sees = self.channel.course([self.links[k]], times)
            rough = _near(self.channel, apart.reshape(-1, 3), way.reshape(-1, 3))[:, 0]
            rough |= np.ptp(sees.reshape(-1, 3).astype(int), axis=1) > 0
            if not shadowed:
                rough |= _bent(ratio_to_db(gain).reshape(-1, 3))[:, 0]
            rough &= until - since > least_s
            if np.count_nonzero(rough) > _MOST:
                break
            quarters = np.linspace(since[rough], until[rough], 5)
            cuts.append(quarters.ravel())
            since, until = quarters[:-1].ravel(), quarters[1:].ravel()
        return np.concatenate(cuts)


def _cut(even: Grid, cuts_s: FloatArray) -> Grid:
    """The edges of equal slots and others."""
    if not cuts_s.size:
        return even
    even_s = np.linspace(0.0, even.deadline_s, even.slots + 1)
    return UnevenGrid.of(np.union1d(even_s, cuts_s), even.deadline_s, even.span)


def _least_s(begins_s: float, span_s: float) -> float:
    """The width of slots that are cut no further."""
    return max(_STEP * span_s, 8.0 * math.ulp(begins_s + span_s))


def _near(channel: Channel, apart: FloatArray, way: FloatArray) -> NDArray[np.bool_]:
    """In which of T slots (L, T) the way is too long for the distance, by what both are at edges
    and middles (L, 2·T + 1)."""
    walked = _walked_m(way)
    # Between two moments nothing comes nearer than the way that is left for it.
    nearest = (apart[:, 2::2] + apart[:, :-2:2] - walked) / 2
    return np.asarray(walked > _OF_DISTANCE * np.maximum(nearest, channel.nearest_m))


def _walked_m(way_m: FloatArray) -> FloatArray:
    """The way of both ends in each of T slots (L, T), by what it is at edges and middles."""
    return np.asarray(way_m[:, 2::2] - way_m[:, :-2:2])


def _bent(level_db: FloatArray) -> NDArray[np.bool_]:
    """In which of T slots (L, T) a mean gain is too steep or too bent, by what it is at edges and
    middles (L, 2·T + 1)."""
    since, mid, until = level_db[:, :-2:2], level_db[:, 1::2], level_db[:, 2::2]
    bent = np.abs(mid - (since + until) / 2) > _BEND_DB
    return np.asarray(bent | (np.abs(until - since) > _CHANGE_DB))
