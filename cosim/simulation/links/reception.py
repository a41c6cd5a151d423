"""How bits get through: flowing, in packets, or as one codeword, as the scenario says."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.simulation.links.channel import Channel
from cosim.simulation.links.fluid import advance, solve
from cosim.simulation.links.packets import (
    chosen_efficiency,
    packets_until,
    repeated,
    sent_once,
)
from cosim.simulation.links.single_pass import pass_efficiency
from cosim.simulation.links.transmission import Transmission
from cosim.trace.schema import Cause, TransferOutcome


def forecast(channel: Channel, transmissions: Sequence[Transmission]) -> None:
    """Gives every transmission the forecast of its end if nothing changes."""
    if not transmissions:
        return
    if channel.radio.packets.model == "fluid":
        solve(channel, transmissions)
        return
    forecasts = packets_until(channel, transmissions, channel.radio.deadline_s)
    for transmission, prediction in zip(transmissions, forecasts, strict=True):
        transmission.forecast = prediction


def count(
    channel: Channel, transmission: Transmission, elapsed_s: float, *, as_forecast: bool
) -> None:
    """Counts what came through of a transmission that ends now, as forecast or cut short."""
    if channel.radio.packets.model != "fluid" and not as_forecast:
        (transmission.forecast,) = packets_until(channel, [transmission], elapsed_s)
        as_forecast = True
    if as_forecast:
        transmission.complete(elapsed_s)
    else:
        come_to(channel, [(transmission, elapsed_s)])


def come_to(channel: Channel, moments: Sequence[tuple[Transmission, float]]) -> None:
    """Counts what flowed of each transmission until a moment, in s after its start."""
    unforeseen = [each for each in moments if not each[0].comes_as_foreseen(each[1])]
    if unforeseen:
        advance(channel, unforeseen)


def sent_bits(channel: Channel, transmission: Transmission) -> float:
    """Bits that a transmission that ends now has put on the air, got through or not.

    What flows is sent at the rate that gets through; a codeword evenly over Γ; packets at the rate
    that was chosen, those that failed, and were repeated or not, included.
    """
    if transmission.power_w <= 0.0:
        return 0.0
    packets, airtime_s = channel.radio.packets, transmission.since_s
    if packets.model == "fluid":
        return transmission.carried_bits
    if packets.model == "codeword":
        return transmission.message.bits * min(airtime_s / transmission.grid.deadline_s, 1.0)
    if packets.model == "blocks":
        efficiency = chosen_efficiency(channel, packets, transmission)
    elif sent_once(transmission):
        efficiency = pass_efficiency(channel, packets, transmission)
    else:
        efficiency = chosen_efficiency(channel, repeated(packets), transmission)
    return airtime_s * transmission.share_hz * efficiency


def too_late(channel: Channel) -> tuple[TransferOutcome, Cause]:
    """How a transmission ends that is not through at Γ: a codeword is lost, the others are late."""
    if channel.radio.packets.model == "codeword":
        return TransferOutcome.OUTAGE, Cause.OUTAGE
    return TransferOutcome.LATE, Cause.DEADLINE
