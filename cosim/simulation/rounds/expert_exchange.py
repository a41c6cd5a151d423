"""Experts that go from cluster to cluster: head to head, then from each head to its members."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpy import Event

from cosim.simulation.links.flight import Parcel
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.trace.schema import TransferKind


def spread_experts(world: World, plan: Plan, attempts: int) -> Generator[Event, Any, None]:
    """Clusters exchange what they hold, without averaging (arXiv 2602.20492, section IV-C).

    Every head sends what the other heads do not have yet, and what it has learnt so to its own
    members; each step is one transfer a receiver with the deadline Γ. One that is late is sent
    again until it has been sent `attempts` times, and then lost until the next exchange.
    """
    groups = [
        [world.stations[device] for device in group if world.stations[device].present]
        for group in plan.groups
    ]
    groups = [group for group in groups if group]
    heads = [group[0] for group in groups]
    if len(heads) < 2:
        return
    others = {head.id: [other for other in heads if other is not head] for head in heads}
    yield from _send_banks(world, heads, others, plan.round, attempts)
    members = {group[0].id: group[1:] for group in groups}
    yield from _send_banks(world, heads, members, plan.round, attempts)


@dataclass(frozen=True)
class _Bank:
    """What a head held before the first attempt, and to whom it sends what they lack of it."""

    sender: Station
    content: Any
    receivers: Sequence[Station]


def _send_banks(
    world: World,
    senders: Sequence[Station],
    receivers: Mapping[int, Sequence[Station]],
    round_: int,
    attempts: int,
) -> Generator[Event, Any, None]:
    """A receiver stores what it lacks of a bank when it arrives; nobody sends where all have it."""
    banks = [
        _Bank(sender, world.learner.bank(sender.id), receivers[sender.id])
        for sender in senders
        if sender.present and receivers[sender.id]
    ]
    for attempt in range(attempts):
        for bank in banks:
            world.medium.land(bank.sender)
        sending = [(bank.sender, _parcels(world, bank, first=attempt == 0)) for bank in banks]
        departures = [
            world.medium.send(sender, parcels, round_)
            for sender, parcels in sending
            if parcels and sender.present
        ]
        if not departures:
            return
        yield world.env.all_of([departure.over for departure in departures])


def _parcels(world: World, bank: _Bank, *, first: bool) -> list[Parcel]:
    """What the receivers lack of a bank now; to those who are not there it is tried once."""
    found = []
    for receiver in bank.receivers:
        bits = world.learner.bank_bits(bank.content, receiver.id)
        if bits > 0 and (first or receiver.present):
            found.append(Parcel(receiver.id, bits, bank.content, TransferKind.EXPERT))
    return found
