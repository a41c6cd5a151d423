"""Experts that go from cluster to cluster: head to head, then from each head to its members."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from simpy import Event

from cosim.learning.records import Outgoing
from cosim.methods.message import Turn
from cosim.simulation.message import AddressedMessage
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
    yield from _send_experts(world, heads, others, plan.round, attempts)
    members = {group[0].id: group[1:] for group in groups}
    yield from _send_experts(world, heads, members, plan.round, attempts)


def _send_experts(
    world: World,
    senders: Sequence[Station],
    receivers: Mapping[int, Sequence[Station]],
    round_: int,
    attempts: int,
) -> Generator[Event, Any, None]:
    """Sends each sender's experts to its receivers, up to `attempts` times; a receiver stores those
    that it lacks when they arrive, and nobody sends where all have them."""
    heads = [sender for sender in senders if sender.present and receivers[sender.id]]
    # What each has before the first attempt; what comes in meanwhile it sends another time.
    offered: dict[int, Any] = {}
    for attempt in range(attempts):
        for head in heads:
            world.medium.deliver_due(head)
        addressed = []
        for head in heads:
            ids = [receiver.id for receiver in receivers[head.id]]
            outgoing = world.learner.experts(head.id, ids, offered.get(head.id))
            offered[head.id] = outgoing.content
            addressed.append((head, _messages(world, outgoing, first=attempt == 0)))
        bursts = [
            world.medium.send(head, messages, Turn(round_))
            for head, messages in addressed
            if messages and head.present
        ]
        if not bursts:
            return
        yield world.env.all_of([burst.over for burst in bursts])


def _messages(world: World, outgoing: Outgoing, *, first: bool) -> list[AddressedMessage]:
    """The experts that receivers lack now; to those who are not there they are tried once."""
    return [
        AddressedMessage(receiver, bits, outgoing.content, TransferKind.EXPERT)
        for receiver, bits in outgoing.bits.items()
        if bits > 0 and (first or world.stations[receiver].present)
    ]
