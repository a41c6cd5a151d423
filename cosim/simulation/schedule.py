"""Who starts a round when."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from simpy import Event, Process

from cosim.simulation.meter import Spent
from cosim.simulation.plan import Plan
from cosim.simulation.presence import come_and_go
from cosim.simulation.round import device_round
from cosim.simulation.station import Station
from cosim.simulation.world import RoundResult, World
from cosim.trace.schema import Cause, EventKind

Life = Generator[Event, Any, None]


def life(world: World) -> Life:
    """The whole run, by the recipe's schedule; it ends early where every device is gone."""
    for station in world.stations:
        if station.device.spells is not None:
            world.env.process(come_and_go(world, station))
    # Whoever is not there at the start has left before anybody plans.
    yield world.env.timeout(0)
    world.evaluate(0, world.stations)
    yield from _SCHEDULES[world.scenario.method.schedule](world)


def synchronous(world: World) -> Life:
    """All devices begin a round together, when the last one has ended the round before."""
    for number in range(1, world.scenario.rounds + 1):
        if not (yield from world.somebody(world.stations)):
            return
        members = [station for station in world.stations if not station.gone]
        plan = world.plan(number, [station for station in members if station.present])
        yield from _together(world, plan, members, waits=True)
        if world.due(number):
            world.evaluate(number, world.stations)
        world.tell_closed()


def cluster(world: World) -> Life:
    """Each connected group of a round's graph begins when its own members have ended the round
    before; it waits for no other group.

    The graph of a round is planned when the first group asks for it, over all devices that are
    not gone for good; members that are not there when their group begins sit the round out.
    """
    before: dict[int, Process] = {}
    for number in range(1, world.scenario.rounds + 1):
        if before:
            yield world.env.any_of(list(dict.fromkeys(before.values())))
        plan = world.plan(number, [station for station in world.stations if not station.gone])
        now: dict[int, Process] = {}
        for group in plan.groups:
            earlier = dict.fromkeys(before[device] for device in group if device in before)
            played = world.env.process(_group(world, plan, group, list(earlier)))
            now.update(dict.fromkeys(group, played))
        before = now
        if not before:
            return
    yield world.env.all_of(list(dict.fromkeys(before.values())))


def _group(world: World, plan: Plan, group: Sequence[int], earlier: list[Process]) -> Life:
    yield world.env.all_of(earlier)
    members = [world.stations[device] for device in group]
    yield from world.somebody(members)
    # Who left for good while its group waited for others is owed a row of what it spent until then.
    still = [station for station in members if not station.gone or station.meter.spent != Spent()]
    if still:
        yield from _together(world, plan, still, waits=True)
        if world.due(plan.round):
            world.evaluate(plan.round, still)
    world.tell_closed()


def asynchronous(world: World) -> Life:
    """Every device goes its own way: it mixes what has arrived, and begins its next round.

    The graph of a round is planned when the first device gets to it.
    """
    plans: dict[int, Plan] = {}
    yield world.env.all_of([world.env.process(_alone(world, s, plans)) for s in world.stations])


def _alone(world: World, station: Station, plans: dict[int, Plan]) -> Life:
    for number in range(1, world.scenario.rounds + 1):
        if not (yield from world.somebody([station])):
            world.tell_closed()
            return
        if number not in plans:
            among = [other for other in world.stations if not other.gone]
            plans[number] = world.plan(number, among)
        plan = plans[number]
        yield from _together(world, plan, [station], waits=False)
        if world.due(number):
            world.evaluate(number, [station])
        world.tell_closed()


def _together(world: World, plan: Plan, members: Sequence[Station], *, waits: bool) -> Life:
    """One round of a group: those who are there play it, and all get their row when it ends."""
    there = [station for station in members if station.present]
    lives: dict[int, Process] = {}
    for station in there:
        station.round = plan.round
        world.record.event(EventKind.PLAN, station.id, plan.round, Cause.SCHEDULE)
    for station in there:
        present = (other for other in plan.neighbours(station.id) if world.stations[other].present)
        round_ = device_round(world, station, plan.round, tuple(present), waits=waits)
        station.life = lives[station.id] = world.env.process(round_)
    ended = yield world.env.all_of(list(lives.values()))
    results = {device: ended[process] for device, process in lives.items()}
    if plan.round == world.scenario.rounds:
        for station in members:
            world.retire(station)
    cause = Cause.NEIGHBOURS_SETTLED if waits else Cause.SCHEDULE
    for station in members:
        world.close_round(station, plan, results.get(station.id, RoundResult()), cause)
    world.write_positions()


_SCHEDULES: dict[str, Callable[[World], Life]] = {
    "synchronous": synchronous,
    "cluster": cluster,
    "asynchronous": asynchronous,
}
