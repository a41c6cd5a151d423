"""One device's round, in one screen."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from simpy import Event, Interrupt

from cosim.learning.records import FineTuned
from cosim.methods.message import Turn
from cosim.simulation.compute_time import flop_done
from cosim.simulation.message import Message
from cosim.simulation.station import Station
from cosim.simulation.world import RoundResult, Seat, World
from cosim.trace.schema import Cause, EventKind


def device_round(
    world: World, station: Station, number: int, seat: Seat, *, waits: bool
) -> Generator[Event, Any, RoundResult]:
    """Fine-tune; then, once a turn: send, wait for the neighbours, mix. Time passes at `yield`.

    With `waits` a device stays until every neighbour's message of this turn has arrived, missed its
    deadline, or is not going to be sent; without, it mixes what has arrived so far and goes on,
    once the air is free of what it sent before. In its last round it stays until its own is sent.
    """
    result, me = RoundResult(), station.id
    turns = world.scenario.method.schedule.turns(number)
    why = Cause.NEIGHBOURS_SETTLED if waits else Cause.SCHEDULE
    try:
        tuned = yield from _fine_tune(world, station, turns[0], seat, result)
        if tuned.quarantined:
            world.record.event(EventKind.QUARANTINE, me, number, Cause.DIVERGENCE)
        for turn in turns:
            if tuned.quarantined:
                world.medium.silence(station, seat.neighbours, turn)
            elif tuned.dropped:
                world.medium.pass_over(station, seat.neighbours, turn)
            else:
                last = number == world.scenario.rounds
                yield from _send(world, station, turn, seat, waits=waits or last)
            if waits:
                yield station.inbox.all_ended(seat.neighbours, turn)
            messages, ages = station.inbox.take()
            yield from _mix(world, station, turn, seat, messages, ages, why, result)
            world.record.event(EventKind.AGGREGATE, me, number, why)
    except Interrupt as cut:
        world.record.event(EventKind.CUT_OFF, me, number, Cause(str(cut.cause)))
    return result


def _mix(
    world: World,
    station: Station,
    turn: Turn,
    seat: Seat,
    messages: Mapping[int, Any],
    ages: Mapping[int, int],
    why: Cause,
    result: RoundResult,
) -> Generator[Event, Any, None]:
    """Computes the mixing; what a device that is cut off meanwhile took is lost."""
    job = world.learner.mix(station.id, messages, ages, turn, seat.graph)
    if not job.work.idle:
        event = world.record.event
        event(EventKind.COMPUTE_START, station.id, turn.round, why)
        station.meter.compute(True)
        try:
            yield world.env.timeout(station.device.compute_time_s(job.work))
        except Interrupt:
            job.discard()
            raise
        station.meter.compute(False)
        result.flop += job.work.flop
        event(EventKind.COMPUTE_END, station.id, turn.round, Cause.COMPUTE_FINISHED)
    job.result()


def _fine_tune(
    world: World, station: Station, turn: Turn, seat: Seat, result: RoundResult
) -> Generator[Event, Any, FineTuned]:
    """Fine-tunes, until the compute deadline at most; a device that is cut off meanwhile has
    computed nothing, and nobody hears of it."""
    event, me, number = world.record.event, station.id, turn.round
    job = world.learner.submit(me, number)
    assert job is not None, "a round that trains nothing"
    event(EventKind.COMPUTE_START, me, number, Cause.SCHEDULE)
    station.meter.compute(True)
    takes_s, flop = station.device.compute_time_s(job.work), job.work.flop
    why, deadline_s = Cause.COMPUTE_FINISHED, world.scenario.training.compute_deadline_s
    if deadline_s is not None and takes_s > deadline_s:
        # Known as it begins, so that nobody trains for it what it is not going to reach.
        why, flop = Cause.DEADLINE, flop_done(job.work, takes_s, deadline_s)
        world.learner.cut(me, flop)
        takes_s = deadline_s
    world.medium.expect(station, seat.neighbours, turn, takes_s)
    try:
        yield world.env.timeout(takes_s)
    except Interrupt:
        job.discard()
        world.medium.silence(station, seat.neighbours, turn)
        raise
    station.meter.compute(False)
    tuned = job.result()
    result.loss, result.flop = tuned.loss, flop
    event(EventKind.COMPUTE_END, me, number, why)
    world.write_layers(me, tuned.layers)
    return tuned


def _send(
    world: World, station: Station, turn: Turn, seat: Seat, *, waits: bool
) -> Generator[Event, Any, None]:
    """Sends the message; its bits are those of the moment of sending, because a receiver may have
    been told more while the air was still full of the turn before."""
    if station.burst is not None:
        yield station.burst.over
    world.medium.deliver_due(station)
    said = world.learner.messages(station.id, turn, seat.neighbours)
    if said is None:
        world.medium.pass_over(station, seat.neighbours, turn)
        return
    messages = [Message(receiver, bits, said.content) for receiver, bits in said.bits.items()]
    station.burst = world.medium.send(station, messages, turn)
    if waits:
        yield station.burst.over
