"""One round of a group of devices, whoever makes the group."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from simpy import Event, Process

from cosim.methods.message import Turn
from cosim.simulation.rounds.air_turns import AirTurns
from cosim.simulation.rounds.device_round import device_round
from cosim.simulation.rounds.expert_exchange import spread_experts
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.station import Station
from cosim.simulation.world import RoundResult, Seat, World
from cosim.trace.schema import Cause, EventKind


def group_round(
    world: World, plan: Plan, members: Sequence[Station], *, waits: bool
) -> Generator[Event, Any, None]:
    """Plays one round of a group: those who are there take part, and all get their row when it
    ends.

    Who came while clusters were formed is in none of them, and waits for the next round.
    """
    players = [station for station in members if station.present and station.id in plan.graph]
    lives: dict[int, Process] = {}
    for station in players:
        station.round = plan.round
        world.record.event(EventKind.PLAN, station.id, plan.round, Cause.SCHEDULE)
    seats = _seats(world, plan, players)
    air = None
    if world.scenario.radio.access.model == "air":
        air = AirTurns(world, Turn(plan.round), seats)
    for station in players:
        round_ = device_round(world, station, plan.round, seats[station.id], air, waits=waits)
        station.life = lives[station.id] = world.env.process(round_)
    ended = yield world.env.all_of(list(lives.values()))
    values = ended.todict()  # asked one by one, it looks through all of them each time
    results = {device: values[process] for device, process in lives.items()}
    topology = world.scenario.method.topology
    if attempts := topology.expert_attempts(plan.round, world.scenario.rounds):
        yield from spread_experts(world, plan, attempts)
    if plan.round == world.scenario.rounds:
        for station in members:
            world.retire(station)
    cause = Cause.NEIGHBOURS_SETTLED if waits else Cause.SCHEDULE
    for station, place_m in zip(members, world.places_m(members), strict=True):
        result = results.get(station.id, RoundResult())
        world.close_round(station, plan.round, place_m, result, seats.get(station.id), cause)
    world.write_positions()


def _seats(world: World, plan: Plan, players: Sequence[Station]) -> dict[int, Seat]:
    """Gives each of the players its place in a plan, among those who are there now; in a round in
    which nobody speaks it has no neighbours."""
    weighing, sending = world.scenario.method.weighing, world.scenario.method.sending
    opens = sending.opens(plan.round, sending.stream(world.scenario.seed, plan.round))
    sizes: dict[int, int] = {}  # each counted once: all devices may be one group
    seats = {}
    for station in players:
        number, group = plan.cluster_of[station.id]
        if number not in sizes:
            sizes[number] = sum(world.stations[device].present for device in group)
        others = plan.neighbours(station.id)
        neighbours = tuple(other for other in others if world.stations[other].present)
        members = [station.id] if weighing.asks_neighbours else []
        members += neighbours if weighing.asks_degrees else ()
        near = {device: plan.neighbours(device) for device in members}
        graph = plan.graph if weighing.asks_graph else near
        size = sizes[number] if neighbours else 1
        spoken, unheard = (neighbours, ()) if opens else ((), neighbours)
        seats[station.id] = Seat(number, size, spoken, unheard, graph)
    return seats
