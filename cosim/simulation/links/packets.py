"""Bits that do not flow: packets that are sent again until decoded, or once; whole codewords."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio
from cosim.physics.packets import PendingBlocks, block_count, block_efficiency, block_transfer
from cosim.physics.rate import rate_bit_s
from cosim.scenario.radio import BlockPackets, OneShot
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.intervals import CHUNK, Paced, alike, gains_between, received
from cosim.simulation.links.single_pass import passes_until
from cosim.simulation.links.transmission import EndForecast, Transmission
from cosim.trace.schema import TransferKind

FloatArray = NDArray[np.float64]

# Transmissions whose intervals, or slots, are in memory at once.
_TOGETHER = 256

# A codeword whose bits lack no more than this part at Γ lacks them by rounding.
_ROUNDING = 1e-12


def packets_until(
    channel: Channel, transmissions: Sequence[Transmission], elapsed_s: float
) -> list[EndForecast]:
    """The forecasts of transmissions that end no later than `elapsed_s` after their starts; each
    hangs on nothing but its transmission."""
    packets = channel.radio.packets
    forecasts = {
        each: EndForecast(0.0 if each.message.bits == 0 else math.inf, 0.0, 0.0)
        for each in transmissions
    }
    sent = [each for each in transmissions if each.power_w > 0.0 and elapsed_s > 0.0]
    for first in range(0, len(sent), _TOGETHER):
        part = sent[first : first + _TOGETHER]
        if isinstance(packets, BlockPackets):
            forecasts.update(_blocks_until(channel, packets, part, elapsed_s))
        elif isinstance(packets, OneShot):
            once = [each for each in part if sent_once(each) and each.message.bits > 0]
            again = [each for each in part if not sent_once(each)]
            forecasts.update(passes_until(channel, packets, once, elapsed_s))
            forecasts.update(_blocks_until(channel, repeated(packets), again, elapsed_s))
        else:
            forecasts.update(_codewords_until(channel, part, elapsed_s))
    return list(forecasts.values())


def sent_once(transmission: Transmission) -> bool:
    """Whether nothing of a transmission is sent again: of an update, and of nothing else."""
    return transmission.message.kind is TransferKind.UPDATE


def repeated(packets: OneShot) -> BlockPackets:
    """How what must arrive whole is sent where updates are sent once."""
    return BlockPackets(
        block_bits=packets.packet_bits, backoff_db=packets.backoff_db, combining="none"
    )


def chosen_efficiency(channel: Channel, packets: BlockPackets, transmission: Transmission) -> float:
    """The rate of a transmission's blocks in bit/s/Hz: from what its sender knows of the channel at
    the start, less the backoff."""
    noise_w = float(channel.noise_w(transmission.share_hz))
    snr = transmission.power_w * transmission.known_gain / noise_w
    return float(block_efficiency(snr, float(db_to_ratio(packets.backoff_db))))


@dataclass(eq=False)
class _Sending(Paced):
    """Blocks of one transmission on their way, in as many intervals as fit into the time.

    blocks: what is left of them.
    count: blocks that are through.
    snr_s: ∫SNR dt.
    ends_s: when the last is through, in s after its start.
    """

    blocks: PendingBlocks
    count: int = 0
    snr_s: float = 0.0
    ends_s: float = math.inf

    @classmethod
    def of(
        cls, channel: Channel, packets: BlockPackets, transmission: Transmission, elapsed_s: float
    ) -> _Sending:
        """Blocks of which nothing was sent; their rate is chosen at the start, and kept."""
        size, share_hz = packets.block_bits, transmission.share_hz
        efficiency = chosen_efficiency(channel, packets, transmission)
        interval_s = size / (share_hz * efficiency) if efficiency > 0.0 else math.inf
        return cls(
            transmission,
            transmission.power_w / float(channel.noise_w(share_hz)),
            efficiency,
            interval_s,
            int(elapsed_s / interval_s * (1.0 + _ROUNDING)),
            PendingBlocks.waiting([int(block_count(transmission.message.bits, size))]),
        )

    def rest_s(self, elapsed_s: float) -> FloatArray:
        """The edges of an interval that is cut short."""
        begins_s = self.intervals * self.interval_s if self.intervals else 0.0
        return np.array([begins_s, elapsed_s])


def _blocks_until(
    channel: Channel,
    packets: BlockPackets,
    transmissions: Sequence[Transmission],
    elapsed_s: float,
) -> dict[Transmission, EndForecast]:
    sendings = [_Sending.of(channel, packets, each, elapsed_s) for each in transmissions]
    first, under_way = 0, [each for each in sendings if each.intervals > 0]
    while under_way:
        chunk = [(each, each.edges_s(first)) for each in under_way]
        for group, edges in alike(chunk):
            _send(channel, packets, group, edges, first, elapsed_s)
        first += CHUNK
        under_way = [
            each for each in under_way if each.intervals > first and math.isinf(each.ends_s)
        ]
    # An interval that is cut short carries nothing, but was in the air.
    rest = [(each, each.rest_s(elapsed_s)) for each in sendings if math.isinf(each.ends_s)]
    for group, edges in alike([(each, ends) for each, ends in rest if ends[1] > ends[0]]):
        _, means = received(channel, group, edges)
        for sending, mean, ends in zip(group, means, edges, strict=True):
            sending.snr_s += float(mean[0]) * float(ends[1] - ends[0])
    forecasts = {}
    for sending in sendings:
        bits = sending.transmission.message.bits
        through = math.isfinite(sending.ends_s)
        carried = bits if through else min(sending.count * packets.block_bits, bits)
        forecasts[sending.transmission] = EndForecast(sending.ends_s, float(carried), sending.snr_s)
    return forecasts


def _send(
    channel: Channel,
    packets: BlockPackets,
    group: Sequence[_Sending],
    edges: FloatArray,
    first: int,
    elapsed_s: float,
) -> None:
    """Sends blocks in the intervals between edges (L, T + 1), of which `first` is the number of the
    first."""
    decoded_at, means = received(channel, group, edges)
    before = PendingBlocks(
        np.concatenate([sending.blocks.left for sending in group]),
        np.concatenate([sending.blocks.combined_snr for sending in group]),
        np.concatenate([sending.blocks.copies for sending in group]),
    )
    lasts, through, after = block_transfer(
        before,
        decoded_at,
        np.array([sending.efficiency for sending in group]),
        combining=packets.combining,
        most=packets.transmissions,
    )
    for k, (sending, last) in enumerate(zip(group, lasts.tolist(), strict=True)):
        part = slice(k, k + 1)
        sending.blocks = PendingBlocks(
            after.left[part], after.combined_snr[part], after.copies[part]
        )
        sent = means[k, : last + 1] if last >= 0 else means[k]
        sending.snr_s += float(sent.sum()) * sending.interval_s
        sending.count += int(through[k])
        if last >= 0:
            sending.ends_s = min((first + last + 1) * sending.interval_s, elapsed_s)


def _codewords_until(
    channel: Channel, transmissions: Sequence[Transmission], elapsed_s: float
) -> dict[Transmission, EndForecast]:
    """The forecasts of codewords, of which nothing is decoded before Γ, and everything at Γ or
    never."""
    alike: dict[Grid, list[Transmission]] = defaultdict(list)
    for transmission in transmissions:
        alike[transmission.grid].append(transmission)
    forecasts = {}
    for grid, group in alike.items():
        share = np.array([each.share_hz for each in group])
        noise = np.broadcast_to(channel.noise_w(share), share.shape)
        of_one = np.array([each.power_w for each in group]) / noise
        bits, snr_s = [0.0] * len(group), [0.0] * len(group)
        for edges in _slots_until(grid, elapsed_s):
            edges_of_all = np.broadcast_to(edges, (len(group), len(edges)))
            snr = of_one[:, None] * gains_between(channel, group, edges_of_all)
            rates, lengths = rate_bit_s(share[:, None], snr), np.diff(edges)
            for k in range(len(group)):
                bits[k] += float(rates[k] @ lengths)
                snr_s[k] += float(snr[k] @ lengths)
        for transmission, carried, total in zip(group, bits, snr_s, strict=True):
            payload = transmission.message.bits
            whole = elapsed_s >= grid.deadline_s and carried >= payload * (1.0 - _ROUNDING)
            ends_s, through = (grid.deadline_s, float(payload)) if whole else (math.inf, 0.0)
            forecasts[transmission] = EndForecast(ends_s, through, total)
    return forecasts


def _slots_until(grid: Grid, elapsed_s: float) -> Iterator[FloatArray]:
    for chunk in range(grid.chunks):
        edges = np.minimum(grid.edges_s(chunk), elapsed_s)
        if edges[-1] > edges[0]:
            yield edges[: int(np.searchsorted(edges, elapsed_s)) + 1]
