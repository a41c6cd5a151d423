"""Experts that go from cluster to cluster: head to head, then from each head to its members."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from simpy import Event

from cosim.simulation.flight import Parcel
from cosim.simulation.plan import Plan
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.trace.schema import TransferKind


def spread_experts(world: World, plan: Plan) -> Generator[Event, Any, None]:
    """Clusters exchange what they hold, without averaging (arXiv 2602.20492, section V-B).

    Every head sends what the other heads do not have yet, and what it has learnt so to its own
    members; each step is one transfer a receiver with the deadline Γ, and one that is late is
    lost until the next time.
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
    yield from _send_banks(world, heads, others, plan.round)
    members = {group[0].id: group[1:] for group in groups}
    yield from _send_banks(world, heads, members, plan.round)


def _send_banks(
    world: World,
    senders: Sequence[Station],
    receivers: Mapping[int, Sequence[Station]],
    round_: int,
) -> Generator[Event, Any, None]:
    departures = []
    for sender in senders:
        if not sender.present:
            continue
        bundle = world.learner.bank(sender.id)
        parcels = []
        for receiver in receivers[sender.id]:
            bits = world.learner.bank_bits(sender.id, receiver.id)
            if bits > 0:
                parcels.append(Parcel(receiver.id, bits, bundle, TransferKind.EXPERT))
        departures.append((world.medium.send(sender, parcels, round_), bundle))
    yield world.env.all_of([departure.over for departure, _ in departures])
    for departure, bundle in departures:
        for device in sorted(departure.reached):
            world.learner.absorb(device, bundle)
