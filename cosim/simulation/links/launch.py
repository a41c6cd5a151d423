"""What a transmission starts with: its power by the scenario's policy, its place, its slots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import Allocation, allocate, lemma1_power_w
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.flight import Flight
from cosim.simulation.links.slots import grids
from cosim.trace.schema import Cause, TransferKind

FloatArray = NDArray[np.float64]


def launch(channel: Channel, departures: Sequence[Sequence[Flight]], start_s: float) -> None:
    """Gives all flights that begin at one moment their power, distance and slots.

    Each inner sequence is what one device sends at once; its flights share the device's p_max.
    """
    flights = [flight for departure in departures for flight in departure]
    if not flights:
        return
    links = [flight.link for flight in flights]
    distances = channel.distances_m(links, start_s)
    gains = _known_gains(channel, flights, start_s)
    cut = grids(channel, links, start_s, 0)
    for flight, distance, grid, gain in zip(flights, distances, cut, gains, strict=True):
        flight.distance_m, flight.known_gain = float(distance), float(gain)
        flight.grid = grid
    required = _required_w(channel, flights, gains)
    first = 0
    for departure in departures:
        demand = required[first : first + len(departure)]
        brief = all(flight.parcel.kind is TransferKind.CONTROL for flight in departure)
        power = _equal(channel, len(departure)) if brief else _allocated(channel, demand)
        first += len(departure)
        cause = Cause.COMPUTE_FINISHED if power.whole_margin else Cause.MARGIN_REDUCED
        cause = cause if power.feasible else Cause.INFEASIBLE_POWER
        for flight, own_w in zip(departure, power.power_w, strict=True):
            flight.power_w, flight.cause = float(own_w), cause


def _known_gains(channel: Channel, flights: Sequence[Flight], start_s: float) -> FloatArray:
    """What every sender knows of its channel (L,): its gain at the start, or the mean of that."""
    power = channel.radio.power
    links = [flight.link for flight in flights]
    if power.policy == "lemma1" and power.channel_knowledge == "mean":
        return channel.mean_gains(links, start_s)
    return channel.gains(links, start_s, [flight.round for flight in flights])


def _required_w(channel: Channel, flights: Sequence[Flight], gains: FloatArray) -> FloatArray:
    """Lemma 1's demand (L,) of every flight."""
    share_hz = np.array([flight.share_hz for flight in flights])
    return np.asarray(
        lemma1_power_w(
            np.array([flight.parcel.bits for flight in flights], dtype=np.float64),
            receivers=channel.radio.bandwidth_hz / share_hz,
            bandwidth_hz=channel.radio.bandwidth_hz,
            deadline_s=channel.radio.deadline_s,
            gain=gains,
            noise_w=channel.noise_w(share_hz),
        )
    )


def _allocated(channel: Channel, required_w: FloatArray) -> Allocation:
    power, p_max = channel.radio.power, float(dbm_to_w(channel.radio.p_max_dbm))
    if power.policy == "max_power":
        return _equal(channel, len(required_w))
    return allocate(required_w, p_max, float(db_to_ratio(power.margin_db)), power.fallback)


def _equal(channel: Channel, receivers: int) -> Allocation:
    """p_max shared equally: what a control message of a few bits takes as well, because Lemma 1
    would stretch it over the whole of Γ."""
    equal = np.full(receivers, float(dbm_to_w(channel.radio.p_max_dbm)) / receivers)
    return Allocation(equal, equal, slack_w=0.0, binding=0, feasible=True)
