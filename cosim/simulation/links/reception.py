"""How bits get through: flowing, in blocks, or as one codeword, as the scenario says."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.simulation.links.channel import Channel
from cosim.simulation.links.flight import Flight
from cosim.simulation.links.fluid import solve
from cosim.simulation.links.packets import chosen_efficiency, packets_until
from cosim.trace.schema import Outcome


def plan(channel: Channel, flights: Sequence[Flight]) -> None:
    """Gives every flight the plan of its end if nothing changes."""
    if channel.radio.packets.model == "fluid":
        solve(channel, flights)
        return
    for flight in flights:
        flight.plan = packets_until(channel, flight, channel.radio.deadline_s)


def count(channel: Channel, flight: Flight, elapsed_s: float, *, planned: bool) -> None:
    """Counts what came through of a flight that ends now, as planned or cut short."""
    if channel.radio.packets.model != "fluid" and not planned:
        flight.plan, planned = packets_until(channel, flight, elapsed_s), True
    if planned:
        flight.complete(elapsed_s)
    else:
        flight.advance(channel, elapsed_s)


def sent_bits(channel: Channel, flight: Flight) -> float:
    """What a flight that ends now has put on the air, got through or not; 0 where it never was.

    What flows is sent at the rate that gets through; a codeword evenly over Γ; blocks at the rate
    that was chosen, those that failed and were repeated included.
    """
    if not flight.begun or flight.power_w <= 0.0:
        return 0.0
    packets = channel.radio.packets
    if packets.model == "fluid":
        return flight.carried_bits
    if packets.model == "codeword":
        return flight.parcel.bits * min(flight.since_s / flight.grid.deadline_s, 1.0)
    return flight.since_s * flight.share_hz * chosen_efficiency(channel, packets, flight)


def too_late(channel: Channel) -> Outcome:
    """What a flight is that is not through at Γ: a codeword is lost, the others are late."""
    return Outcome.OUTAGE if channel.radio.packets.model == "codeword" else Outcome.LATE
