"""When the bits of flights are through: all that changed in one instant, solved together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.physics.rate import rate_bit_s
from cosim.physics.transfer import slotted_transfer
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.flight import Flight, Plan
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.slots import grids

FloatArray = NDArray[np.float64]

# A payload that lacks no more than this part of itself at Γ lacks it by rounding: Lemma 1 without
# a margin aims at Γ exactly.
_ROUNDING = 1e-12

# Flights whose slots are in memory at once, besides the gains that each keeps.
_TOGETHER = 1024


def solve(channel: Channel, flights: Sequence[Flight]) -> None:
    """Gives every flight the plan of its end at its present share.

    Each ends when the rate, integrated over the slots of the channel from `since_s` on, has
    carried what is left of its bits. A flight's plan hangs on nothing but the flight.
    """
    _cut_anew(channel, flights)
    _solve_alike(channel, flights)
    ends = [(flight, flight.plan.ends_s) for flight in flights if flight.plan is not None]
    short = [flight for flight, end_s in ends if end_s < math.inf and flight.refine(channel, end_s)]
    _solve_alike(channel, short)


def _cut_anew(channel: Channel, flights: Sequence[Flight]) -> None:
    """Slots of a further Γ for flights that go on beyond theirs."""
    for flight in flights:
        span = flight.spans - 1
        if flight.grid.span != span:
            begins_s = flight.start_s + span * flight.grid.deadline_s
            (flight.grid,) = grids(channel, [flight.link], begins_s, span)
            flight.gains.clear()


def _solve_alike(channel: Channel, flights: Sequence[Flight]) -> None:
    alike: dict[Grid, list[Flight]] = defaultdict(list)
    for flight in flights:
        alike[flight.grid].append(flight)
    for grid, group in alike.items():
        for first in range(0, len(group), _TOGETHER):
            _solve(channel, group[first : first + _TOGETHER], grid)


def _solve(channel: Channel, flights: Sequence[Flight], grid: Grid) -> None:
    payload = _column(flight.parcel.bits for flight in flights)
    carried = _column(flight.carried_bits for flight in flights)
    left = payload - carried
    since = _column(flight.since_s for flight in flights)
    share = _column(flight.share_hz for flight in flights)
    power, noise = _column(flight.power_w for flight in flights), channel.noise_w(share)
    snr_s = _column(flight.snr_s for flight in flights)
    ends = np.where(left > 0.0, math.inf, since)
    for chunk in range(grid.chunk_at(float(since.min())), grid.chunks):
        edges = grid.edges_s(chunk)
        of = np.flatnonzero((left > 0) & (since < edges[-1]))
        if of.size == 0:
            if not (left > 0).any():
                break
            continue
        gains = _gains(channel, [flights[int(k)] for k in of], chunk, edges)
        snr = power[of, None] * gains / np.broadcast_to(noise, power.shape)[of, None]
        begins = np.maximum(since[of] - edges[0], 0.0)
        took, more = slotted_transfer(
            left[of], edges, rate_bit_s(share[of, None], snr), since_s=begins
        )
        through = np.isfinite(took)
        until = np.where(through, edges[0] + took, edges[-1])
        starts = np.maximum(edges[:-1], since[of, None])
        lengths = np.clip(until[:, None] - starts, 0.0, np.maximum(edges[1:] - starts, 0.0))
        snr_s[of] += (snr * lengths).sum(axis=1)
        ends[of] = np.where(through, until, math.inf)
        left[of] = np.where(through, 0.0, left[of] - more)
        # Summed, because payload − left has no digits where little of much came through.
        carried[of] = np.where(through, payload[of], carried[of] + more)
    # The last chunk compares with what was left before it, which may be no more than a few ulps.
    on_edge = (left > 0) & (left <= _ROUNDING * payload)
    horizon_s = (grid.span + 1) * grid.deadline_s
    ends[on_edge], carried[on_edge] = horizon_s, payload[on_edge]
    for flight, end_s, bits, own_snr_s in zip(flights, ends, carried, snr_s, strict=True):
        flight.plan = Plan(_on_time(float(end_s), horizon_s), float(bits), float(own_snr_s))


def _column(values: Iterator[float]) -> FloatArray:
    return np.fromiter(values, dtype=np.float64)


def _gains(
    channel: Channel, flights: Sequence[Flight], chunk: int, edges: FloatArray
) -> FloatArray:
    """The gains (L, T) of one chunk; those not known yet are evaluated, together by start."""
    missing: dict[float, list[Flight]] = defaultdict(list)
    for flight in flights:
        if chunk not in flight.gains:
            missing[flight.start_s].append(flight)
    for start_s, new in missing.items():
        rows = channel.slot_gains(
            [flight.link for flight in new], start_s + edges, [flight.round for flight in new]
        )
        for flight, row in zip(new, rows, strict=True):
            flight.gains[chunk] = row
    return np.array([flight.gains[chunk] for flight in flights])


def _on_time(ends_s: float, horizon_s: float) -> float:
    """Γ where the bits are through within rounding of it: log1p of expm1 is not exact."""
    return horizon_s if math.isclose(ends_s, horizon_s, rel_tol=_ROUNDING) else ends_s
