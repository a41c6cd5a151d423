"""What a transmission receives in intervals of its own, many transmissions together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cosim.physics.packets import effective_snr, effective_snr_of_parts
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid, UnevenGrid
from cosim.simulation.links.transmission import Transmission

FloatArray = NDArray[np.float64]

# Transmission intervals, or slots, evaluated at once.
CHUNK = 512


@dataclass(eq=False)
class Paced:
    """A paced transmission has packets that follow each other, each in an interval of its own.

    transmission: it.
    snr_of_one: its SNR at a gain of 1.
    efficiency: the rate of its packets in bit/s/Hz.
    interval_s: how long each takes.
    intervals: how many are in the air.
    """

    transmission: Transmission
    snr_of_one: float
    efficiency: float
    interval_s: float
    intervals: int

    def edges_s(self, first: int) -> FloatArray:
        """The edges of a chunk of its intervals."""
        last = min(first + CHUNK, self.intervals)
        return np.arange(first, last + 1, dtype=np.float64) * self.interval_s


PacedT = TypeVar("PacedT", bound=Paced)


def alike(
    sendings: Sequence[tuple[PacedT, FloatArray]],
) -> Iterator[tuple[list[PacedT], FloatArray]]:
    """Those that have as many intervals and samples, with their edges (L, T + 1)."""
    groups: dict[tuple[object, ...], list[tuple[PacedT, FloatArray]]] = defaultdict(list)
    for sending, edges in sendings:
        grid = sending.transmission.grid
        key = id(sending) if isinstance(grid, UnevenGrid) else _samples(grid, edges)
        groups[len(edges), isinstance(grid, UnevenGrid), key].append((sending, edges))
    for group in groups.values():
        yield [sending for sending, _ in group], np.array([edges for _, edges in group])


def _samples(grid: Grid, edges: FloatArray) -> int:
    """The samples in each of some equal intervals: as many as a transmission's slots have in it."""
    width_s = grid.deadline_s / grid.slots
    return max(1, math.ceil(float(edges[1] - edges[0]) / width_s)) if grid.slots > 1 else 1


def received(
    channel: Channel, group: Sequence[Paced], edges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The effective and the mean SNR (L, T) in each of T intervals between edges (L, T + 1), over
    as many samples as the slots of each transmission have in it; slots of its own come alone."""
    transmissions = [sending.transmission for sending in group]
    of_one = np.array([sending.snr_of_one for sending in group])[:, None]
    grid = transmissions[0].grid
    if isinstance(grid, UnevenGrid):
        (own,) = edges
        within = grid.cuts_s[(grid.cuts_s > own[0]) & (grid.cuts_s < own[-1])]
        fine = np.union1d(own, within)
        (snr,) = of_one * gains_between(channel, transmissions, fine[None])
        firsts = np.searchsorted(fine, own[:-1])
        effective, mean = effective_snr_of_parts(snr, np.diff(fine), firsts)
        return effective[None], mean[None]
    times = _samples(grid, edges[0])
    fine = np.linspace(edges[:, :-1], edges[:, 1:], times, endpoint=False, axis=2)
    fine = np.concatenate([fine.reshape(len(group), -1), edges[:, -1:]], axis=1)
    snr = of_one * gains_between(channel, transmissions, fine)
    snr = snr.reshape(len(group), -1, times)
    return effective_snr(snr), snr.mean(axis=2)


def gains_between(
    channel: Channel, transmissions: Sequence[Transmission], edges: FloatArray
) -> FloatArray:
    """The gains (L, T) between edges (L, T + 1) in s after each transmission's start."""
    starts = np.array([transmission.start_s for transmission in transmissions])
    return channel.slot_gains(
        [transmission.link for transmission in transmissions],
        starts[:, None] + edges,
        [transmission.round for transmission in transmissions],
    )
