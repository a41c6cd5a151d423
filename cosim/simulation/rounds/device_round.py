"""One device's round, in one screen."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from simpy import Event, Interrupt

from cosim.learning.records import FineTuned
from cosim.methods.message import Turn
from cosim.simulation.compute_time import flop_done
from cosim.simulation.inbox import Taken
from cosim.simulation.message import AddressedMessage
from cosim.simulation.rounds.air_turns import AirTurns
from cosim.simulation.station import Station
from cosim.simulation.world import RoundResult, Seat, World
from cosim.trace.schema import Cause, EventKind, TransferKind


def device_round(
    world: World,
    station: Station,
    number: int,
    seat: Seat,
    air: AirTurns | None = None,
    *,
    waits: bool,
) -> Generator[Event, Any, RoundResult]:
    """Fine-tune; then, once a turn: send, wait for the neighbours, mix. Time passes at `yield`.

    With `waits` a device stays until every neighbour's message of this turn has arrived, missed its
    deadline, or is not going to be sent; without, it mixes what has arrived so far and goes on,
    once the air is free of what it sent before. In its last round it stays until its own is sent.
    Where the method's edges are used both ways, silent devices then answer those whom they heard.
    Where they are mutual, a device mixes in a turn those alone whom it heard and who heard it.
    Where the air adds up what is sent, all send and listen by turns.
    """
    result, me = RoundResult(), station.id
    turns = world.scenario.method.schedule.played(number)
    later = turns[1:]
    mutual = world.scenario.method.weighing.mutual
    both_ways = waits and world.scenario.method.sending.answers
    why = Cause.NEIGHBOURS_SETTLED if waits else Cause.SCHEDULE
    try:
        tuned = yield from _fine_tune(world, station, turns[0], seat, result, air)
        if tuned.quarantined:
            world.record.event(EventKind.QUARANTINE, me, number, Cause.DIVERGENCE)
        for turn in turns:
            speaks, later = False, turns[turn.mixing + 1 :]
            _count_silence(world, seat.unheard)
            if air is not None:
                yield from _by_turns(world, air, station, turn, seat, tuned)
            elif tuned.quarantined:
                world.medium.silence(station, seat.neighbours, turn)
                _owe_nothing(world, station, [turn], seat)
            elif tuned.dropped:
                _count_silence(world, seat.neighbours)
                _owe_nothing(world, station, [turn], seat)
                yield from _send_beacons(world, station, turn, seat, waits=waits)
            else:
                last = number == world.scenario.rounds
                speaks = yield from _send(world, station, turn, seat, waits=waits or last)
            if waits:
                yield station.inbox.all_ended(seat.neighbours, turn)
            if both_ways and not (tuned.quarantined or tuned.dropped):
                speaks |= yield from _answer(world, station, turn, seat, speaks=speaks)
            both = _heard_both_ways(station, turn, speaks=speaks) if mutual else None
            mail = station.inbox.take(turn._replace(answer=True) if waits else None, both)
            yield from _mix(world, station, turn, seat, mail, why, result)
            world.record.event(EventKind.AGGREGATE, me, number, why)
    except Interrupt as cut:
        for unsaid in later:
            world.medium.silence(station, seat.neighbours, unsaid)
        world.record.event(EventKind.CUT_OFF, me, number, Cause(str(cut.cause)))
        _owe_nothing(world, station, turns, seat)
        if air is not None:
            air.withdraw(me)
    return result


def _by_turns(
    world: World, air: AirTurns, station: Station, turn: Turn, seat: Seat, tuned: FineTuned
) -> Generator[Event, Any, None]:
    """Speaks, if there is anything to say, and stays until all have had their turn."""
    outgoing = None
    if tuned.dropped:
        _count_silence(world, seat.neighbours)
    elif not tuned.quarantined:
        outgoing = world.learner.messages(station.id, turn, seat.neighbours)
    if outgoing is None:
        air.listen(station.id, silent=tuned.dropped)
    else:
        air.speak(station.id, outgoing)
    yield air.over


def _mix(
    world: World,
    station: Station,
    turn: Turn,
    seat: Seat,
    mail: Taken,
    why: Cause,
    result: RoundResult,
) -> Generator[Event, Any, None]:
    """Computes the mixing; what a device that is cut off meanwhile took is lost."""
    contents, ages, flights = mail
    job = world.learner.mix(station.id, contents, ages, turn, seat.graph, flights)
    if not job.work.idle:
        event = world.record.event
        event(EventKind.COMPUTE_START, station.id, turn.round, why)
        station.meter.compute(True)
        takes_s, begun_s = station.device.compute_time_s(job.work), world.env.now
        try:
            yield world.env.timeout(takes_s)
        except Interrupt:
            job.discard()
            result.flop += flop_done(job.work, takes_s, world.env.now - begun_s)
            raise
        station.meter.compute(False)
        result.flop += job.work.flop
        event(EventKind.COMPUTE_END, station.id, turn.round, Cause.COMPUTE_FINISHED)
    job.result()


def _fine_tune(
    world: World,
    station: Station,
    turn: Turn,
    seat: Seat,
    result: RoundResult,
    air: AirTurns | None,
) -> Generator[Event, Any, FineTuned]:
    """Fine-tunes, until the compute deadline at most; what a device that is cut off meanwhile has
    computed is for nothing, and nobody hears of it."""
    event, me, number = world.record.event, station.id, turn.round
    job = world.learner.submit(me, number)
    assert job is not None, "a round that trains nothing"
    event(EventKind.COMPUTE_START, me, number, Cause.SCHEDULE)
    station.meter.compute(True)
    takes_s, flop = station.device.compute_time_s(job.work), job.work.flop
    whole_s, begun_s = takes_s, world.env.now
    why, deadline_s = Cause.COMPUTE_FINISHED, world.scenario.training.compute_deadline_s
    if deadline_s is not None and takes_s > deadline_s:
        # Known as it begins, so that nobody trains for it what it is not going to reach.
        why, flop = Cause.DEADLINE, flop_done(job.work, takes_s, deadline_s)
        job.cut(flop)
        takes_s = deadline_s
    if air is None:
        world.medium.expect(station, seat.neighbours, turn, takes_s)
    try:
        yield world.env.timeout(takes_s)
    except Interrupt:
        job.discard()
        result.flop = flop_done(job.work, whole_s, world.env.now - begun_s)
        if air is None:
            world.medium.silence(station, seat.neighbours, turn)
        raise
    station.meter.compute(False)
    tuned = job.result()
    (world.stragglers if why is Cause.DEADLINE else world.finishers).add(me)
    result.loss, result.flop = tuned.loss, flop
    event(EventKind.COMPUTE_END, me, number, why)
    world.write_layers(me, tuned.layers)
    return tuned


def _send(
    world: World, station: Station, turn: Turn, seat: Seat, *, waits: bool
) -> Generator[Event, Any, bool]:
    """Sends the message, or a beacon where there is none, and returns whether there was one; its
    bits are those of the moment of sending, because a receiver may have been told more while the
    air was still full of the turn before."""
    if station.burst is not None:
        yield station.burst.over
    world.medium.deliver_due(station)
    outgoing = world.learner.messages(station.id, turn, seat.neighbours)
    if outgoing is None:
        if not world.scenario.method.sending.answers:
            _count_silence(world, seat.neighbours)
        yield from _send_beacons(world, station, turn, seat, waits=waits)
        return False
    messages = [
        AddressedMessage(receiver, bits, outgoing.content)
        for receiver, bits in outgoing.bits.items()
    ]
    _owe_nothing(world, station, [turn], seat)
    station.burst = world.medium.send(station, messages, turn)
    if waits:
        yield station.burst.over
    return True


def _send_beacons(
    world: World, station: Station, turn: Turn, seat: Seat, *, waits: bool
) -> Generator[Event, Any, None]:
    """Tells the neighbours that nothing comes; where they know it without, nobody waits."""
    bits = world.scenario.method.sending.bits_of_silence
    if not bits:
        world.medium.pass_over(station, seat.neighbours, turn)
        return
    if station.burst is not None:
        yield station.burst.over
    beacons = [
        AddressedMessage(neighbour, bits, None, TransferKind.BEACON)
        for neighbour in seat.neighbours
    ]
    station.burst = world.medium.send(station, beacons, turn)
    if waits:
        yield station.burst.over


def _answer(
    world: World, station: Station, turn: Turn, seat: Seat, *, speaks: bool
) -> Generator[Event, Any, bool]:
    """Waits for the answers of neighbours who kept silent; or answers those whom it heard, and
    returns whether there were such."""
    answering = turn._replace(answer=True)
    if speaks:
        yield station.inbox.all_ended(seat.neighbours, answering)
        return False
    spoke = station.inbox.spoke(turn)
    others = [device for device in seat.neighbours if device not in spoke]
    _count_silence(world, others)
    world.medium.pass_over(station, others, answering)
    heard = replace(seat, neighbours=tuple(sorted(spoke.intersection(seat.neighbours))))
    if heard.neighbours:
        yield from _send(world, station, answering, heard, waits=True)
    return bool(heard.neighbours)


def _heard_both_ways(station: Station, turn: Turn, *, speaks: bool) -> set[int]:
    """Those whom the device has heard in a turn by Γ, and who have heard it."""
    heard = station.inbox.in_time(turn)
    both = heard & station.burst.heard if speaks and station.burst is not None else set()
    station.inbox.counts.one_way += len(heard - both)
    return both


def _count_silence(world: World, receivers: Sequence[int]) -> None:
    """Notes that one more update was not sent to each of these."""
    for receiver in receivers:
        world.stations[receiver].inbox.counts.silent += 1


def _owe_nothing(world: World, station: Station, turns: Sequence[Turn], seat: Seat) -> None:
    """Has nobody wait for answers of a device that has spoken, or cannot any more."""
    if world.scenario.method.sending.answers:
        for turn in turns:
            if not turn.answer:
                world.medium.pass_over(station, seat.neighbours, turn._replace(answer=True))
