"""Experts that go from cluster to cluster: head to head, then from each head to its members."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simpy import Event

from cosim.simulation.flight import Parcel
from cosim.simulation.plan import Plan
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
    """What a head held before the first attempt, and to whom it sends that."""

    sender: Station
    bundle: Mapping[int, Any]
    parcels: Sequence[Parcel]


def _send_banks(
    world: World,
    senders: Sequence[Station],
    receivers: Mapping[int, Sequence[Station]],
    round_: int,
    attempts: int,
) -> Generator[Event, Any, None]:
    banks = [_bank(world, sender, receivers[sender.id]) for sender in senders if sender.present]
    for _ in range(attempts):
        departures = [world.medium.send(bank.sender, bank.parcels, round_) for bank in banks]
        yield world.env.all_of([departure.over for departure in departures])
        left = []
        for bank, departure in zip(banks, departures, strict=True):
            for device in sorted(departure.reached):
                world.learner.absorb(device, bank.bundle)
            left.append(_without(world, bank, departure.reached))
        banks = [bank for bank in left if bank.parcels and bank.sender.present]
        if not banks:
            return


def _bank(world: World, sender: Station, receivers: Sequence[Station]) -> _Bank:
    """What these receivers lack of what the sender holds."""
    bundle = world.learner.bank(sender.id)
    parcels = []
    for receiver in receivers:
        bits = world.learner.bank_bits(sender.id, receiver.id)
        if bits > 0:
            parcels.append(Parcel(receiver.id, bits, bundle, TransferKind.EXPERT))
    return _Bank(sender, bundle, parcels)


def _without(world: World, bank: _Bank, reached: Collection[int]) -> _Bank:
    """The bank for those whom it has not reached and who are still there."""
    left = [
        parcel
        for parcel in bank.parcels
        if parcel.receiver not in reached and world.stations[parcel.receiver].present
    ]
    return replace(bank, parcels=left)
