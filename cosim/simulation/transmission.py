"""Transmissions of one sender: powers by Lemma 1, ends solved from the channel in advance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio, dbm_to_w, ratio_to_db
from cosim.physics.power import Allocation, allocate, lemma1_power_w
from cosim.physics.rate import rate_bit_s
from cosim.physics.transfer import delivered_until, slotted_transfer
from cosim.simulation.channel import Channel

FloatArray = NDArray[np.float64]

# Slots solved at once: transfers that end early do not pay for the rest of the deadline.
_CHUNK = 512

# A payload that lacks no more than this part of itself at Γ lacks it by rounding: Lemma 1 without
# a margin aims at Γ exactly.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Transmission:
    """One solved transfer: `duration_s` is infinite where its bits are not through by Γ.

    `delivered_bits` are those through by Γ, or by the cut; `slots` divide Γ evenly.
    """

    sender: int
    receiver: int
    bits: int
    start_s: float
    distance_m: float
    bandwidth_hz: float
    power_w: float
    duration_s: float
    delivered_bits: float
    mean_snr_db: float
    feasible: bool
    whole_margin: bool
    noise_w: float
    slots: int


def solve(
    channel: Channel,
    sender: int,
    receivers: Sequence[int],
    bits: Sequence[int],
    start_s: float,
    round_: int,
) -> list[Transmission]:
    """All transfers that a device starts at one moment, in equal shares W/n of its bandwidth.

    Each ends when the rate, integrated over the slots of the channel, has carried its bits; the
    share stays W/n to the end (the paper's reading).
    """
    radio = channel.radio
    count = len(receivers)
    noise = channel.noise_w(count)
    share_hz = radio.bandwidth_hz / count
    power = _powers(channel, sender, receivers, bits, start_s, round_, noise)
    slots = channel.slots(sender, receivers, start_s, radio.deadline_s)
    payload = np.array(bits, dtype=float)
    left = payload
    delivered = np.zeros(count)
    duration = np.full(count, math.inf)
    snr_time = np.zeros(count)
    on_air = np.zeros(count)
    for edges in _chunks(slots, radio.deadline_s):
        open_ = left > 0
        if not open_.any():
            break
        gains = channel.slot_gains(sender, receivers, start_s + edges, round_)
        snr = power.power_w[:, None] * gains / noise
        took, carried = slotted_transfer(left, edges, rate_bit_s(share_hz, snr))
        through = open_ & np.isfinite(took)
        duration[through] = edges[0] + took[through]
        spent = np.where(through, took, edges[-1] - edges[0]) * open_
        lengths = np.clip(spent[:, None] - (edges[:-1] - edges[0]), 0, np.diff(edges))
        snr_time += (snr * lengths).sum(axis=1)
        on_air += spent
        left = np.where(through, 0.0, left - carried)
        # Summed, because payload − left has no digits where little of much came through.
        delivered = np.where(through, payload, delivered + carried)
    # The last chunk compares with what was left before it, which may be no more than a few ulps.
    on_edge = (left > 0) & (left <= _ROUNDING * payload)
    duration[on_edge], delivered[on_edge] = radio.deadline_s, payload[on_edge]
    distances = channel.distances_m(sender, receivers, start_s)
    mean_snr = np.divide(snr_time, on_air, out=np.zeros(count), where=on_air > 0)
    return [
        Transmission(
            sender=sender,
            receiver=receiver,
            bits=bits[k],
            start_s=start_s,
            distance_m=float(distances[k]),
            bandwidth_hz=share_hz,
            power_w=float(power.power_w[k]),
            duration_s=_on_time(float(duration[k]), radio.deadline_s),
            delivered_bits=float(delivered[k]),
            mean_snr_db=float(ratio_to_db(mean_snr[k])),
            feasible=power.feasible,
            whole_margin=power.whole_margin,
            noise_w=noise,
            slots=slots,
        )
        for k, receiver in enumerate(receivers)
    ]


def cut(channel: Channel, sent: Transmission, elapsed_s: float, round_: int) -> Transmission:
    """The same transmission if it ends `elapsed_s` after its start: its bits and SNR until then."""
    bits = snr_time = 0.0
    for edges in _chunks(sent.slots, channel.radio.deadline_s):
        if edges[0] >= elapsed_s:
            break
        gains = channel.slot_gains(sent.sender, [sent.receiver], sent.start_s + edges, round_)[0]
        snr = sent.power_w * gains / sent.noise_w
        rates = rate_bit_s(sent.bandwidth_hz, snr)
        bits += float(delivered_until(elapsed_s - edges[0], sent.bits - bits, edges, rates))
        snr_time += float(snr @ np.clip(elapsed_s - edges[:-1], 0.0, np.diff(edges)))
    mean_snr = snr_time / elapsed_s if elapsed_s > 0 else 0.0
    return replace(sent, delivered_bits=bits, mean_snr_db=float(ratio_to_db(mean_snr)))


def _chunks(slots: int, span_s: float) -> Iterator[FloatArray]:
    """The edges in s of `slots` equal slots of a span, some hundred at a time."""
    width = span_s / slots
    for first in range(0, slots, _CHUNK):
        last = min(first + _CHUNK, slots)
        edges = np.arange(first, last + 1, dtype=np.float64) * width
        if last == slots:
            edges[-1] = span_s
        yield edges


def _on_time(duration_s: float, deadline_s: float) -> float:
    """Γ where the bits are through within rounding of it: log1p of expm1 is not exact."""
    return deadline_s if math.isclose(duration_s, deadline_s, rel_tol=_ROUNDING) else duration_s


def _powers(
    channel: Channel,
    sender: int,
    receivers: Sequence[int],
    bits: Sequence[int],
    start_s: float,
    round_: int,
    noise: float,
) -> Allocation:
    radio = channel.radio
    p_max = float(dbm_to_w(radio.p_max_dbm))
    if radio.power.policy == "max_power":
        equal = np.full(len(receivers), p_max / len(receivers))
        return Allocation(equal, equal, slack_w=0.0, binding=0, feasible=True)
    if radio.power.channel_knowledge == "mean":
        gain = channel.mean_gains(sender, receivers, start_s)
    else:
        gain = channel.gains(sender, receivers, start_s, round_)
    required = lemma1_power_w(
        np.array(bits, dtype=float),
        receivers=len(receivers),
        bandwidth_hz=radio.bandwidth_hz,
        deadline_s=radio.deadline_s,
        gain=gain,
        noise_w=noise,
    )
    margin = float(db_to_ratio(radio.power.margin_db))
    return allocate(required, p_max, margin, radio.power.fallback)
