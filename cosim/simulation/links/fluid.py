"""When the bits of transmissions are through: all that changed in one instant, solved together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.physics.rate import rate_bit_s
from cosim.physics.transfer import slotted_transfer
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.slots import finer, grids
from cosim.simulation.links.transmission import EndForecast, Transmission

FloatArray = NDArray[np.float64]

# A payload that lacks no more than this part of itself at Γ lacks it by rounding: Lemma 1 without
# a margin aims at Γ exactly.
_ROUNDING = 1e-12

# Transmissions whose slots are in memory at once, besides the gains that each keeps.
_TOGETHER = 1024


def solve(channel: Channel, transmissions: Sequence[Transmission]) -> None:
    """Gives every transmission the forecast of its end at its present share.

    Each ends when the rate, integrated over the slots of the channel from `since_s` on, has
    carried what is left of its bits. A forecast hangs on nothing but its transmission.
    """
    _cut_anew(channel, transmissions)
    _solve_alike(channel, transmissions)
    _solve_alike(channel, [each for each in transmissions if _refined(channel, each)])


def advance(channel: Channel, moments: Sequence[tuple[Transmission, float]]) -> None:
    """Counts what came through of each transmission at its present share until a moment, in s after
    its start."""
    alike: dict[Grid, list[tuple[Transmission, float]]] = defaultdict(list)
    for transmission, elapsed_s in moments:
        sends = transmission.forecast is not None and transmission.power_w > 0.0
        if sends and elapsed_s > transmission.since_s:
            # What goes on needs these narrower slots no longer.
            grid = finer(channel, transmission.grid, transmission.start_s, elapsed_s)
            alike[grid].append((transmission, elapsed_s))
    for grid, group in alike.items():
        for first in range(0, len(group), _TOGETHER):
            _advance(channel, group[first : first + _TOGETHER], grid)
    for transmission, elapsed_s in moments:
        transmission.pass_until(elapsed_s)


def _advance(channel: Channel, moments: Sequence[tuple[Transmission, float]], grid: Grid) -> None:
    chunks = [(grid.chunk_at(each.since_s), grid.chunk_at(until)) for each, until in moments]
    for chunk in range(min(chunks)[0], max(last for _, last in chunks) + 1):
        within = zip(moments, chunks, strict=True)
        now = [moment for moment, (first, last) in within if first <= chunk <= last]
        if not now:
            continue
        transmissions, edges = [transmission for transmission, _ in now], grid.edges_s(chunk)
        own = [transmission.grid == grid for transmission in transmissions]
        if all(own):
            gains = _gains(channel, transmissions, chunk, edges)
        else:
            gains = np.empty((len(now), len(edges) - 1))
            peers = [each for each, is_own in zip(transmissions, own, strict=True) if is_own]
            narrower = [each for each, is_own in zip(transmissions, own, strict=True) if not is_own]
            if peers:
                gains[own] = _gains(channel, peers, chunk, edges)
            gains[np.logical_not(own)] = _evaluated(channel, narrower, edges)
        share, power = _column(transmissions, "share_hz"), _column(transmissions, "power_w")
        noise = np.broadcast_to(channel.noise_w(share), power.shape)
        until = np.array([elapsed_s for _, elapsed_s in now])
        starts = np.maximum(edges[:-1], _column(transmissions, "since_s")[:, None])
        lengths = np.maximum(np.minimum(edges[1:], until[:, None]) - starts, 0.0)
        snr = power[:, None] * gains / noise[:, None]
        rates = rate_bit_s(share[:, None], snr)
        for transmission, *rows in zip(transmissions, rates, snr, lengths, strict=True):
            rate, of_noise, length = rows
            transmission.carried_bits += float(rate @ length)
            transmission.snr_s += float(of_noise @ length)
    for transmission, _ in moments:
        payload = float(transmission.message.bits)
        transmission.carried_bits = min(transmission.carried_bits, payload)


def _refined(channel: Channel, transmission: Transmission) -> bool:
    """Narrows a transmission's slots up to its forecast end; returns whether any was too wide."""
    forecast = transmission.forecast
    if forecast is None or math.isinf(forecast.ends_s):
        return False
    return transmission.refine(channel, forecast.ends_s)


def _cut_anew(channel: Channel, transmissions: Sequence[Transmission]) -> None:
    """Gives transmissions that go on beyond their Γ the slots of the next one."""
    by_span: dict[int, list[Transmission]] = defaultdict(list)
    for transmission in transmissions:
        if transmission.grid.span != transmission.spans - 1:
            by_span[transmission.spans - 1].append(transmission)
    for span, group in by_span.items():
        begins_s = [each.start_s + span * each.grid.deadline_s for each in group]
        cut = grids(channel, [each.link for each in group], begins_s, span)
        for transmission, grid in zip(group, cut, strict=True):
            transmission.grid = grid
            transmission.gains.clear()


def _solve_alike(channel: Channel, transmissions: Sequence[Transmission]) -> None:
    alike: dict[Grid, list[Transmission]] = defaultdict(list)
    for transmission in transmissions:
        alike[transmission.grid].append(transmission)
    for grid, group in alike.items():
        for first in range(0, len(group), _TOGETHER):
            _solve(channel, group[first : first + _TOGETHER], grid)


def _solve(channel: Channel, transmissions: Sequence[Transmission], grid: Grid) -> None:
    payload = np.array([float(transmission.message.bits) for transmission in transmissions])
    carried = _column(transmissions, "carried_bits")
    remaining = payload - carried
    since = _column(transmissions, "since_s")
    share = _column(transmissions, "share_hz")
    power, noise = _column(transmissions, "power_w"), channel.noise_w(share)
    snr_s = _column(transmissions, "snr_s")
    ends = np.where(remaining > 0.0, math.inf, since)
    for chunk in range(grid.chunk_at(float(since.min())), grid.chunks):
        edges = grid.edges_s(chunk)
        of = np.flatnonzero((remaining > 0) & (since < edges[-1]))
        if of.size == 0:
            if not (remaining > 0).any():
                break
            continue
        gains = _gains(channel, [transmissions[int(k)] for k in of], chunk, edges)
        snr = power[of, None] * gains / np.broadcast_to(noise, power.shape)[of, None]
        begins = np.maximum(since[of] - edges[0], 0.0)
        took, more = slotted_transfer(
            remaining[of], edges, rate_bit_s(share[of, None], snr), since_s=begins
        )
        through = np.isfinite(took)
        until = np.where(through, edges[0] + took, edges[-1])
        starts = np.maximum(edges[:-1], since[of, None])
        lengths = np.clip(until[:, None] - starts, 0.0, np.maximum(edges[1:] - starts, 0.0))
        snr_s[of] += (snr * lengths).sum(axis=1)
        ends[of] = np.where(through, until, math.inf)
        remaining[of] = np.where(through, 0.0, remaining[of] - more)
        # Accumulated: payload − remaining cancels where little of a large payload came through.
        carried[of] = np.where(through, payload[of], carried[of] + more)
    # The last chunk compares with what was left before it, which may be no more than a few ulps.
    on_edge = (remaining > 0) & (remaining <= _ROUNDING * payload)
    horizon_s = (grid.span + 1) * grid.deadline_s
    ends[on_edge], carried[on_edge] = horizon_s, payload[on_edge]
    # Γ where the bits are through within rounding of it: log1p of expm1 is not exact.
    near = np.isfinite(ends) & (np.abs(ends - horizon_s) <= _ROUNDING * np.maximum(ends, horizon_s))
    ends[near] = horizon_s
    totals = zip(transmissions, ends.tolist(), carried.tolist(), snr_s.tolist(), strict=True)
    for transmission, *total in totals:
        transmission.forecast = EndForecast(*total)


def _column(transmissions: Sequence[Transmission], name: str) -> FloatArray:
    return np.array(
        [getattr(transmission, name) for transmission in transmissions], dtype=np.float64
    )


def _gains(
    channel: Channel, transmissions: Sequence[Transmission], chunk: int, edges: FloatArray
) -> FloatArray:
    """The gains (L, T) of one chunk; those not known yet are evaluated together, whenever their
    transmissions started."""
    new = [transmission for transmission in transmissions if chunk not in transmission.gains]
    if new:
        rows = _evaluated(channel, new, edges)
        for transmission, row in zip(new, rows, strict=True):
            transmission.gains[chunk] = row
        if len(new) == len(transmissions):
            return rows
    return np.array([transmission.gains[chunk] for transmission in transmissions])


def _evaluated(
    channel: Channel, transmissions: Sequence[Transmission], edges: FloatArray
) -> FloatArray:
    """The gains (L, T) between edges in s after each transmission's start."""
    return channel.slot_gains(
        [transmission.link for transmission in transmissions],
        _column(transmissions, "start_s")[:, None] + edges,
        [transmission.round for transmission in transmissions],
    )
