"""Packets that are sent once: when the pass ends, and what of it is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cosim.methods.message import Flight
from cosim.physics.decibel import db_to_ratio
from cosim.physics.packets import block_count
from cosim.physics.single_pass import (
    decoded,
    rayleigh_delivery,
    single_pass_efficiency,
)
from cosim.randomness import stream
from cosim.scenario.radio import OneShot
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.intervals import CHUNK, Paced, alike, received
from cosim.simulation.links.transmission import EndForecast, Transmission

FloatArray = NDArray[np.float64]

# What has lasted so long but for rounding is over.
_ROUNDING = 1e-12


@dataclass(eq=False)
class _Pass(Paced):
    """A single pass, as far as it comes in some time.

    whole_s: how long all of it takes.
    count: how many packets it has.
    lost: numbers of those that were sent and lost.
    snr_s: ∫SNR dt.
    """

    whole_s: float
    count: int
    lost: list[int] = field(default_factory=list)
    snr_s: float = 0.0

    @classmethod
    def of(
        cls, channel: Channel, packets: OneShot, transmission: Transmission, elapsed_s: float
    ) -> _Pass:
        """A pass of which nothing was sent; its rate is chosen at the start, and kept."""
        bits, size, share_hz = transmission.message.bits, packets.packet_bits, transmission.share_hz
        efficiency = pass_efficiency(channel, packets, transmission)
        whole_s = min(bits / (share_hz * efficiency), channel.radio.deadline_s)
        interval_s = size / (share_hz * efficiency)
        count = int(block_count(bits, size))
        over = elapsed_s >= whole_s * (1.0 - _ROUNDING)
        begun = int(elapsed_s / interval_s * (1.0 + _ROUNDING))
        return cls(
            transmission,
            transmission.power_w / float(channel.noise_w(share_hz)),
            efficiency,
            interval_s,
            count if over else min(begun, count - 1),
            whole_s,
            count,
        )

    @property
    def over(self) -> bool:
        """Whether all of its packets have been sent."""
        return self.intervals == self.count

    def edges_s(self, first: int) -> FloatArray:
        """The edges of a chunk of its intervals; the last packet is as long as what is left."""
        edges = super().edges_s(first)
        if first + CHUNK >= self.count and self.over:
            edges[-1] = self.whole_s
        return edges

    def rest_s(self, elapsed_s: float) -> FloatArray:
        """The edges of an interval that is cut short."""
        return np.array([self.intervals * self.interval_s, elapsed_s])

    def forecast(self, packets: OneShot, delivery: float | None) -> EndForecast:
        """When it ends, and what of it arrives by then."""
        bits, size = self.transmission.message.bits, packets.packet_bits
        lost = sum(min((number + 1) * size, bits) - number * size for number in self.lost)
        carried = min(self.intervals * size, bits) - lost
        ends_s = self.whole_s if self.over else math.inf
        flight = Flight(size, tuple(self.lost), delivery, packets.erasure is not None)
        return EndForecast(ends_s, float(carried), self.snr_s, flight)


def pass_efficiency(channel: Channel, packets: OneShot, transmission: Transmission) -> float:
    """The rate of a pass in bit/s/Hz: from what its sender knows of the channel at the start, less
    the backoff, but at least what Γ asks for."""
    share_hz = transmission.share_hz
    snr = transmission.power_w * transmission.known_gain / float(channel.noise_w(share_hz))
    backoff, bits = float(db_to_ratio(packets.backoff_db)), transmission.message.bits
    return float(single_pass_efficiency(snr, backoff, bits, share_hz, channel.radio.deadline_s))


def passes_until(
    channel: Channel, packets: OneShot, transmissions: Sequence[Transmission], elapsed_s: float
) -> dict[Transmission, EndForecast]:
    """The forecasts of single passes as far as they come in some time after their starts."""
    passes = [_Pass.of(channel, packets, each, elapsed_s) for each in transmissions]
    first, under_way = 0, [each for each in passes if each.intervals > 0]
    while under_way:
        for group, edges in alike([(each, each.edges_s(first)) for each in under_way]):
            _send(channel, packets, group, edges, first)
        first += CHUNK
        under_way = [each for each in under_way if each.intervals > first]
    # A packet that is cut short carries nothing, but was in the air.
    rest = [(each, each.rest_s(elapsed_s)) for each in passes if not each.over]
    for group, edges in alike([(each, ends) for each, ends in rest if ends[1] > ends[0]]):
        _, means = received(channel, group, edges)
        for single, mean, ends in zip(group, means, edges, strict=True):
            single.snr_s += float(mean[0]) * float(ends[1] - ends[0])
    return {
        single.transmission: single.forecast(packets, _delivery(channel, packets, single))
        for single in passes
    }


def _send(
    channel: Channel, packets: OneShot, group: Sequence[_Pass], edges: FloatArray, first: int
) -> None:
    """Sends packets in the intervals between edges (L, T + 1), of which `first` is the number of
    the first."""
    effective, means = received(channel, group, edges)
    arrives = decoded(effective, np.array([[single.efficiency] for single in group]))
    for single, through, mean, ends in zip(group, arrives, means, edges, strict=True):
        single.snr_s += float(mean @ np.diff(ends))
        if packets.erasure is not None:
            draws = _draws(channel, single)[first : first + len(through)]
            through = draws >= packets.erasure
        single.lost.extend((first + np.flatnonzero(~through)).tolist())


def _draws(channel: Channel, single: _Pass) -> FloatArray:
    """A number in [0, 1) for each packet, by the message's link and turn."""
    link, turn = single.transmission.link, single.transmission.turn
    named = stream(channel.seed, "erasure", *link, turn.round, turn.mixing)
    return named.random(single.count)


def _delivery(channel: Channel, packets: OneShot, single: _Pass) -> float | None:
    """How probably a packet arrives, as its receiver knows it: as the scenario states it, or by
    the mean gain at the start, where the rate was chosen by that, too; else None."""
    radio = channel.radio
    if packets.erasure is not None:
        return 1.0 - packets.erasure
    if not radio.delivery_known:
        return None
    snr = single.snr_of_one * single.transmission.known_gain
    if radio.fading.model == "none":  # nothing is left to chance
        return 1.0
    return float(rayleigh_delivery(snr, single.efficiency))
