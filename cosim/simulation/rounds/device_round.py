"""One device's round, in one screen."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from simpy import Event, Interrupt

from cosim.learning.records import FineTuned
from cosim.simulation.message import Message
from cosim.simulation.station import Station
from cosim.simulation.world import RoundResult, World
from cosim.trace.schema import Cause, EventKind


def device_round(
    world: World, station: Station, number: int, neighbours: tuple[int, ...], *, waits: bool
) -> Generator[Event, Any, RoundResult]:
    """Fine-tune, send, wait for the neighbours, mix. Time passes only at `yield`.

    With `waits` a device stays until every neighbour's update of this round has arrived or
    missed its deadline; without, it mixes what has arrived so far and goes on, once the air is
    free of what it sent before. In its last round it stays until its own update is sent.
    """
    result, me = RoundResult(), station.id
    try:
        tuned = yield from _fine_tune(world, station, number, neighbours, result)
        if tuned.quarantined:
            world.record.event(EventKind.QUARANTINE, me, number, Cause.DIVERGENCE)
            world.medium.silence(station, neighbours, number)
        else:
            last = number == world.scenario.rounds
            yield from _send(world, station, number, neighbours, tuned, waits=waits or last)
        if waits:
            yield station.inbox.all_ended(neighbours, number)
        updates, ages = station.inbox.take()
        why = Cause.NEIGHBOURS_SETTLED if waits else Cause.SCHEDULE
        yield from _average(world, station, number, updates, why, result)
    except Interrupt as cut:
        world.record.event(EventKind.CUT_OFF, me, number, Cause(str(cut.cause)))
        return result
    world.learner.aggregate(me, updates, ages)
    world.record.event(EventKind.AGGREGATE, me, number, why)
    return result


def _average(
    world: World,
    station: Station,
    number: int,
    updates: Mapping[int, Any],
    why: Cause,
    result: RoundResult,
) -> Generator[Event, Any, None]:
    """Computes the mixing; what a device that is cut off meanwhile took is lost."""
    work = world.learner.mixing_work(station.id, updates)
    if work is None:
        return
    world.record.event(EventKind.COMPUTE_START, station.id, number, why)
    station.meter.compute(True)
    yield world.env.timeout(station.device.compute_time_s(work))
    station.meter.compute(False)
    result.flop += work.flop
    world.record.event(EventKind.COMPUTE_END, station.id, number, Cause.COMPUTE_FINISHED)


def _fine_tune(
    world: World, station: Station, number: int, neighbours: tuple[int, ...], result: RoundResult
) -> Generator[Event, Any, FineTuned]:
    """Fine-tunes; a device that is cut off meanwhile has computed nothing, and nobody hears of
    it."""
    event, me = world.record.event, station.id
    job = world.learner.submit(me, number)
    event(EventKind.COMPUTE_START, me, number, Cause.SCHEDULE)
    station.meter.compute(True)
    try:
        yield world.env.timeout(station.device.compute_time_s(job.work))
    except Interrupt:
        job.discard()
        world.drop_update(me)
        world.medium.silence(station, neighbours, number)
        raise
    station.meter.compute(False)
    tuned = job.result()
    result.loss, result.flop = tuned.loss, job.work.flop
    event(EventKind.COMPUTE_END, me, number, Cause.COMPUTE_FINISHED)
    if tuned.quarantined:
        world.drop_update(me)
    else:
        world.write_layers(me)
        world.keep_update(me, tuned.update)
    return tuned


def _send(
    world: World,
    station: Station,
    number: int,
    neighbours: tuple[int, ...],
    tuned: FineTuned,
    *,
    waits: bool,
) -> Generator[Event, Any, None]:
    """Sends the update; its bits are those of the moment of sending, because a receiver may have
    been told more while the air was still full of the round before."""
    if station.burst is not None:
        yield station.burst.over
    world.medium.deliver_due(station)
    bits = {other: world.learner.payload_bits(tuned.update, other) for other in neighbours}
    messages = [Message(other, bits[other], tuned.update) for other in neighbours]
    station.burst = world.medium.send(station, messages, number)
    if waits:
        yield station.burst.over
