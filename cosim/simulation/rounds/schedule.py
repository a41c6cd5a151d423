"""Who starts a round when."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import Any

from simpy import Event

from cosim.host.collector import seldom_collected
from cosim.methods.schedule.slot import Schedule
from cosim.scenario.origins import failures_told
from cosim.simulation.rounds.cluster_clocks import ClusterClocks
from cosim.simulation.rounds.group_round import group_round
from cosim.simulation.rounds.link_budget import inform_of_links
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.rounds.planning import planned
from cosim.simulation.rounds.presence import come_and_go
from cosim.simulation.station import Station
from cosim.simulation.world import World

Life = Generator[Event, Any, None]


def play_out(world: World) -> None:
    """Runs the world's clock until the end of its life."""
    end = world.env.process(life(world))
    # Where something is learnt, the loop is next to nothing, and cycles may hold tensors.
    alone = world.scenario.learning.model == "none"
    rarely = seldom_collected(len(world.stations)) if alone else nullcontext()
    with rarely, failures_told(world.scenario):
        world.env.run(until=end)


def life(world: World) -> Life:
    """Plays the whole run, by the recipe's schedule; it ends early where every device is gone."""
    for station in world.stations:
        if station.device.spells is not None:
            world.env.process(come_and_go(world, station))
    # Whoever is not there at the start has left before anybody plans.
    yield world.env.timeout(0)
    world.came_s |= {station.id: 0.0 for station in world.stations if station.present}
    inform_of_links(world)
    world.evaluate(0, world.stations)
    yield from played(world.scenario.method.schedule, world)


def rounds_in_step(world: World, *, waits: bool) -> Life:
    """All devices begin a round together, when the last one has ended the round before; waits:
    they mix when their neighbours' messages have ended, and else what has arrived."""
    for number in range(1, world.scenario.rounds + 1):
        if not (yield from world.somebody(world.stations)):
            return
        members = [station for station in world.stations if not station.gone]
        players = [station for station in members if station.present]
        plan = yield from planned(world, number, players)
        yield from group_round(world, plan, members, waits=waits)
        if world.due(number):
            world.evaluate(number, world.stations)
        world.report_closed_rounds()


def cluster(world: World) -> Life:
    """Each connected group of a round's graph begins when its own members have ended the round
    before; see `ClusterClocks`."""
    yield from ClusterClocks(world).play()


def asynchronous(world: World) -> Life:
    """Every device goes its own way: it mixes what has arrived, and begins its next round.

    The graph of a round is planned when the first device gets to it.
    """
    plans: dict[int, Plan] = {}
    yield world.env.all_of([world.env.process(_alone(world, s, plans)) for s in world.stations])


def _alone(world: World, station: Station, plans: dict[int, Plan]) -> Life:
    for number in range(1, world.scenario.rounds + 1):
        if not (yield from world.somebody([station])):
            world.report_closed_rounds()
            return
        if number not in plans:
            among = [other for other in world.stations if not other.gone]
            plans[number] = yield from planned(world, number, among)
        plan = plans[number]
        yield from group_round(world, plan, [station], waits=False)
        if world.due(number):
            world.evaluate(number, [station])
        world.report_closed_rounds()


def played(schedule: Schedule, world: World) -> Life:
    """A schedule's rounds, by what it says of them, whatever its word is."""
    if schedule.in_step:
        return rounds_in_step(world, waits=schedule.waits)
    return cluster(world) if schedule.waits else asynchronous(world)
