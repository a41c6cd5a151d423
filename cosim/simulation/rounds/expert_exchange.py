"""Experts that go from cluster to cluster: head to head, then from each head to its members."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpy import Event

from cosim.simulation.message import Message
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


@dataclass(frozen=True)
class _Outgoing:
    """Experts on their way from one head.

    sender: the head.
    experts: those in its bank before the first attempt.
    receivers: to whom it sends those that they lack.
    """

    sender: Station
    experts: Any
    receivers: Sequence[Station]


def _send_experts(
    world: World,
    senders: Sequence[Station],
    receivers: Mapping[int, Sequence[Station]],
    round_: int,
    attempts: int,
) -> Generator[Event, Any, None]:
    """Sends each sender's experts to its receivers, up to `attempts` times; a receiver stores those
    that it lacks when they arrive, and nobody sends where all have them."""
    outgoing = [
        _Outgoing(sender, world.learner.bank(sender.id), receivers[sender.id])
        for sender in senders
        if sender.present and receivers[sender.id]
    ]
    for attempt in range(attempts):
        for each in outgoing:
            world.medium.deliver_due(each.sender)
        addressed = [(each.sender, _messages(world, each, first=attempt == 0)) for each in outgoing]
        bursts = [
            world.medium.send(sender, messages, round_)
            for sender, messages in addressed
            if messages and sender.present
        ]
        if not bursts:
            return
        yield world.env.all_of([burst.over for burst in bursts])


def _messages(world: World, outgoing: _Outgoing, *, first: bool) -> list[Message]:
    """The experts that receivers lack now; to those who are not there they are tried once."""
    messages = []
    for receiver in outgoing.receivers:
        bits = world.learner.bank_bits(outgoing.experts, receiver.id)
        if bits > 0 and (first or receiver.present):
            messages.append(Message(receiver.id, bits, outgoing.experts, TransferKind.EXPERT))
    return messages
