"""What a transmission starts with: its power by the scenario's policy, its place, its slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.methods.message import Turn
from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import Allocation, allocate, lemma1_power_w
from cosim.scenario.radio import Radio
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.slots import grids
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.message import AddressedMessage
from cosim.trace.schema import Cause

FloatArray = NDArray[np.float64]


def drafts(
    radio: Radio, sender: int, messages: Sequence[AddressedMessage], turn: Turn, start_s: float
) -> list[Transmission]:
    """The transmissions of messages that a device sends at once, in equal shares of its bandwidth;
    nothing else is known of them yet."""
    grid, share_hz = Grid(radio.deadline_s, 1), radio.bandwidth_hz / max(len(messages), 1)
    return [
        Transmission(
            turn=turn,
            sender=sender,
            message=message,
            start_s=start_s,
            share_hz=share_hz,
            grid=grid,
        )
        for message in messages
    ]


def start(channel: Channel, bursts: Sequence[Sequence[Transmission]]) -> None:
    """Gives all transmissions of bursts, whenever each begins, their power, distance and slots.

    The transmissions of a burst share their device's p_max.
    """
    transmissions = [transmission for burst in bursts for transmission in burst]
    if not transmissions:
        return
    links = [transmission.link for transmission in transmissions]
    starts_s = np.array([transmission.start_s for transmission in transmissions])
    distances = channel.distances_m(links, starts_s)
    gains = _known_gains(channel, transmissions, starts_s)
    slots = grids(channel, links, starts_s.tolist(), 0)
    starts = zip(transmissions, distances.tolist(), slots, gains.tolist(), strict=True)
    for transmission, distance, grid, gain in starts:
        transmission.distance_m, transmission.known_gain = distance, gain
        transmission.grid = grid
    required = _required_w(channel, transmissions, gains)
    power_of = _policy(channel.radio)
    first = 0
    for burst in bursts:
        demand = required[first : first + len(burst)]
        brief = all(transmission.message.brief for transmission in burst)
        power = power_of(demand, brief)
        first += len(burst)
        cause = Cause.COMPUTE_FINISHED if power.whole_margin else Cause.MARGIN_REDUCED
        cause = cause if power.feasible else Cause.INFEASIBLE_POWER
        for transmission, own_w in zip(burst, power.power_w.tolist(), strict=True):
            transmission.power_w, transmission.cause = own_w, cause


def _known_gains(
    channel: Channel, transmissions: Sequence[Transmission], starts_s: FloatArray
) -> FloatArray:
    """The gains (L,) that the senders know: those at the starts (L,), or their means."""
    power = channel.radio.power
    links = [transmission.link for transmission in transmissions]
    if power.policy == "lemma1" and power.channel_knowledge == "mean":
        return channel.mean_gains(links, starts_s)
    return channel.gains(links, starts_s, [transmission.round for transmission in transmissions])


def _required_w(
    channel: Channel, transmissions: Sequence[Transmission], gains: FloatArray
) -> FloatArray:
    """Lemma 1's demand (L,) of every transmission."""
    share_hz = np.array([transmission.share_hz for transmission in transmissions])
    bits = np.array([float(transmission.message.bits) for transmission in transmissions])
    return np.asarray(
        lemma1_power_w(
            bits,
            receivers=channel.radio.bandwidth_hz / share_hz,
            bandwidth_hz=channel.radio.bandwidth_hz,
            deadline_s=channel.radio.deadline_s,
            gain=gains,
            noise_w=channel.noise_w(share_hz),
        )
    )


def _policy(radio: Radio) -> Callable[[FloatArray, bool], Allocation]:
    """How the scenario's policy divides p_max by the demands (n,) of a burst, which may be a brief
    one."""
    policy, p_max_w = radio.power, float(dbm_to_w(radio.p_max_dbm))
    margin = 1.0 if policy.policy == "max_power" else float(db_to_ratio(policy.margin_db))

    def allocated(required_w: FloatArray, brief: bool) -> Allocation:
        # A message of a few bits has equal power too: Lemma 1 would stretch it over Γ.
        if brief or policy.policy == "max_power":
            return Allocation(np.full(len(required_w), p_max_w / len(required_w)), feasible=True)
        return allocate(required_w, p_max_w, margin, policy.fallback)

    return allocated
