"""Who exchanges with whom in a round, by the recipe's topology."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from simpy import Event

from cosim.methods.topologies import Clusters, RandomGraph
from cosim.randomness import stream
from cosim.simulation.links.link_need import link_need
from cosim.simulation.rounds.negotiation import needs_reclustering, negotiate
from cosim.simulation.rounds.plan import Plan
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.topology.graphs import complete_within, needs_positions, neighbours


def planned(world: World, round_: int, among: Sequence[Station]) -> Generator[Event, Any, Plan]:
    """Plans a round over these devices where they are now; clusters take time to form."""
    topology = world.scenario.method.topology
    if isinstance(topology, Clusters):
        if needs_reclustering(world, world.clusters, among):
            world.clusters = yield from negotiate(world, topology, among, round_)
        present = [station.id for station in among if station.present]
        return Plan(round_, complete_within(world.clusters, present))
    ids, now_s = [station.id for station in among], float(world.env.now)
    channel, need = world.medium.channel, None
    if isinstance(topology, RandomGraph) and topology.limit_by_links and len(ids) > 1:
        need = link_need(channel, ids, world.learner.first_bits(ids), now_s)
    where = None
    if need is not None or needs_positions(topology):
        where = channel.positions_m(ids, now_s)
    random = stream(world.scenario.seed, "topology", round_)
    return Plan(round_, neighbours(ids, topology, random, where, need))


def exchange_attempts(world: World, plan: Plan) -> int:
    """The times that an expert may be sent after this round: none but in every E-th and the last.

    An exchange less than E rounds before the last is left out: the last one sends the same experts
    newer.
    """
    topology = world.scenario.method.topology
    if not isinstance(topology, Clusters):
        return 0
    rounds_left = world.scenario.rounds - plan.round
    E = topology.exchange_every
    return (
        topology.exchange_attempts
        if rounds_left == 0 or (plan.round % E == 0 and rounds_left >= E)
        else 0
    )
