"""Who exchanges with whom in a round, by the method's topology."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import singledispatch
from typing import Any

from simpy import Event

from cosim.methods.topology.clusters import Clusters
from cosim.methods.topology.slot import Topology
from cosim.simulation.links.link_need import link_need
from cosim.simulation.rounds.negotiation import needs_reclustering, negotiate
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.topology.graphs import complete_within

Planning = Generator[Event, Any, Plan]


def planned(world: World, round_: int, among: Sequence[Station]) -> Planning:
    """The round's plan over these devices where they are now."""
    return plan_of(world.scenario.method.topology, world, round_, among)


@singledispatch
def plan_of(topology: Topology, world: World, round_: int, among: Sequence[Station]) -> Planning:
    """A topology's plan; one that forms by messages takes time and registers a function here."""
    yield from ()
    ids, now_s = [station.id for station in among], float(world.env.now)
    channel, need = world.medium.channel, None
    if topology.limited and len(ids) > 1:
        need = link_need(channel, ids, world.learner.describe(ids).first_bits, now_s)
    where_m = None
    if need is not None or topology.needs_positions:
        where_m = channel.positions_m(ids, now_s)
    random = topology.stream(world.scenario.seed, round_)
    return Plan(round_, topology.neighbours(ids, random, where_m, need))


@plan_of.register
def _(topology: Clusters, world: World, round_: int, among: Sequence[Station]) -> Planning:
    """Clusters are negotiated where geometry has outdated them."""
    if needs_reclustering(world, world.clusters, among):
        world.clusters = yield from negotiate(world, topology, among, round_)
    present = [station.id for station in among if station.present]
    return Plan(round_, complete_within(world.clusters, present))
