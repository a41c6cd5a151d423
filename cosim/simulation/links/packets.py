"""Bits that do not flow: blocks that are sent again until decoded, and whole codewords."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio
from cosim.physics.packets import (
    Blocks,
    block_count,
    block_efficiency,
    block_transfer,
    effective_snr,
    effective_snr_of_parts,
)
from cosim.physics.rate import rate_bit_s
from cosim.scenario.radio import BlockPackets
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import UnevenGrid
from cosim.simulation.links.transmission import Forecast, Transmission

FloatArray = NDArray[np.float64]

# Transmission intervals, or slots, evaluated at once.
_CHUNK = 512

# A codeword whose bits lack no more than this part at Γ lacks them by rounding.
_ROUNDING = 1e-12


def packets_until(channel: Channel, transmission: Transmission, elapsed_s: float) -> Forecast:
    """The forecast of a transmission that ends no later than `elapsed_s` after its start."""
    if elapsed_s <= 0.0 or transmission.power_w <= 0.0:
        return Forecast(0.0 if transmission.message.bits == 0 else math.inf, 0.0, 0.0)
    packets = channel.radio.packets
    if isinstance(packets, BlockPackets):
        return _blocks_until(channel, packets, transmission, elapsed_s)
    return _codeword_until(channel, transmission, elapsed_s)


def chosen_efficiency(channel: Channel, packets: BlockPackets, transmission: Transmission) -> float:
    """The rate of a transmission's blocks in bit/s/Hz: from what its sender knows of the channel at
    the start, less the backoff."""
    noise_w = float(channel.noise_w(transmission.share_hz))
    snr = transmission.power_w * transmission.known_gain / noise_w
    return float(block_efficiency(snr, float(db_to_ratio(packets.backoff_db))))


def _blocks_until(
    channel: Channel, packets: BlockPackets, transmission: Transmission, elapsed_s: float
) -> Forecast:
    """The forecast of blocks, whose rate is chosen at the start, and kept."""
    bits, size = transmission.message.bits, packets.block_bits
    noise = float(channel.noise_w(transmission.share_hz))
    efficiency = chosen_efficiency(channel, packets, transmission)
    blocks = Blocks.waiting([int(block_count(bits, size))])
    done, snr_s, ends_s = 0, 0.0, math.inf
    interval_s = size / (transmission.share_hz * efficiency) if efficiency > 0.0 else math.inf
    intervals = int(elapsed_s / interval_s * (1.0 + _ROUNDING))
    for first in range(0, intervals, _CHUNK):
        numbers = np.arange(first, min(first + _CHUNK, intervals) + 1, dtype=np.float64)
        edges = numbers * interval_s
        decoded_at, mean = _received(channel, transmission, edges, transmission.power_w / noise)
        last, through, blocks = block_transfer(
            blocks,
            decoded_at[None],
            efficiency,
            combining=packets.combining,
            most=packets.transmissions,
        )
        sent = mean[: int(last[0]) + 1] if last[0] >= 0 else mean
        snr_s += float(sent.sum()) * interval_s
        done += int(through[0])
        if last[0] >= 0:
            ends_s = min((first + int(last[0]) + 1) * interval_s, elapsed_s)
            break
    else:
        # An interval that is cut short carries nothing, but was in the air.
        rest = (
            np.array([intervals * interval_s, elapsed_s])
            if intervals
            else np.array([0.0, elapsed_s])
        )
        if rest[1] > rest[0]:
            _, mean = _received(channel, transmission, rest, transmission.power_w / noise)
            snr_s += float(mean[0]) * float(rest[1] - rest[0])
    return Forecast(ends_s, float(bits if math.isfinite(ends_s) else min(done * size, bits)), snr_s)


def _codeword_until(channel: Channel, transmission: Transmission, elapsed_s: float) -> Forecast:
    """The forecast of a codeword, of which nothing is decoded before Γ, and everything at Γ or
    never."""
    noise = float(channel.noise_w(transmission.share_hz))
    bits = snr_s = 0.0
    for edges in _slots_until(transmission, elapsed_s):
        snr = transmission.power_w / noise * _gains(channel, transmission, edges)
        bits += float(rate_bit_s(transmission.share_hz, snr) @ np.diff(edges))
        snr_s += float(snr @ np.diff(edges))
    deadline_s, payload = transmission.grid.deadline_s, transmission.message.bits
    if elapsed_s >= deadline_s and bits >= payload * (1.0 - _ROUNDING):
        return Forecast(deadline_s, float(payload), snr_s)
    return Forecast(math.inf, 0.0, snr_s)


def _slots_until(transmission: Transmission, elapsed_s: float) -> Iterator[FloatArray]:
    for chunk in range(transmission.grid.chunks):
        edges = np.minimum(transmission.grid.edges_s(chunk), elapsed_s)
        if edges[-1] > edges[0]:
            yield edges[: int(np.searchsorted(edges, elapsed_s)) + 1]


def _received(
    channel: Channel, transmission: Transmission, edges: FloatArray, snr_of_one: float
) -> tuple[FloatArray, FloatArray]:
    """The effective and the mean SNR (T,) in each of T intervals, over as many samples as the
    transmission's slots have in it; `snr_of_one` is the SNR at a gain of 1."""
    grid = transmission.grid
    if isinstance(grid, UnevenGrid):
        within = grid.cuts_s[(grid.cuts_s > edges[0]) & (grid.cuts_s < edges[-1])]
        fine = np.union1d(edges, within)
        snr = snr_of_one * _gains(channel, transmission, fine)
        return effective_snr_of_parts(snr, np.diff(fine), np.searchsorted(fine, edges[:-1]))
    width_s = grid.deadline_s / grid.slots
    times = max(1, math.ceil(float(edges[1] - edges[0]) / width_s)) if grid.slots > 1 else 1
    fine = np.linspace(edges[:-1], edges[1:], times, endpoint=False, axis=1).ravel()
    snr = snr_of_one * _gains(channel, transmission, np.append(fine, edges[-1]))
    snr = snr.reshape(len(edges) - 1, times)
    return effective_snr(snr), snr.mean(axis=1)


def _gains(channel: Channel, transmission: Transmission, edges: FloatArray) -> FloatArray:
    (gains,) = channel.slot_gains(
        [transmission.link], transmission.start_s + edges, [transmission.round]
    )
    return np.asarray(gains)
