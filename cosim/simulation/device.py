"""One device's round, in one screen."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy import Event

from cosim.simulation.medium import Parcel
from cosim.simulation.world import Device, RoundResult, World
from cosim.trace.schema import Cause, EventKind


def device_round(
    world: World, device: Device, number: int, neighbours: tuple[int, ...]
) -> Generator[Event, Any, RoundResult]:
    """Fine-tune, send, wait for the neighbours, aggregate. Time passes only at `yield`."""
    learner, event, me = world.learner, world.record.event, device.id

    job = learner.submit(me, number)
    compute_s = device.compute_time_s(job.flop)
    event(EventKind.COMPUTE_START, me, number, Cause.SCHEDULE)
    yield world.env.timeout(compute_s)
    tuned = job.result()
    event(EventKind.COMPUTE_END, me, number, Cause.COMPUTE_FINISHED)
    if number == 1:
        world.write_layers(me)

    parcels = [Parcel(other, learner.payload_bits(me, other), tuned.update) for other in neighbours]
    exchange = yield from world.medium.exchange(me, parcels, neighbours, number)

    learner.aggregate(me, exchange.inbox)
    event(EventKind.AGGREGATE, me, number, Cause.NEIGHBOURS_SETTLED)
    return RoundResult(compute_s, job.flop, tuned.loss, exchange)
