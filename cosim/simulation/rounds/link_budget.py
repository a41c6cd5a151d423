"""What a device's links carry by the deadline, before it chooses how much it trains."""

from __future__ import annotations

import numpy as np

from cosim.methods.topologies import Clusters
from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import lemma1_bits
from cosim.simulation.rounds.plan import receivers_at_most
from cosim.simulation.world import World


def cap_budgets_by_links(world: World) -> None:
    """Lowers every device's Q_budget to what its links carry, if that is less than it can compute
    (eq. 22 with 11a of arXiv 2602.20492).

    A link budget is what Lemma 1 brings by Γ with p_max and the scenario's margin to the nearest
    other devices where they are at the start, at mean gains: to as many as the topology gives a
    device; in clusters to one, because negotiation keeps those apart whose power does not suffice
    for more.
    """
    scenario = world.scenario
    receivers = receivers_at_most(scenario)
    if isinstance(scenario.method.topology, Clusters):
        receivers = min(1, receivers)
    if receivers == 0 or not scenario.method.masked or scenario.learning.model == "none":
        return
    radio, channel = scenario.radio, world.medium.channel
    ids = [station.id for station in world.stations]
    where = channel.positions_m(ids, 0.0)
    margin_db = radio.power.margin_db if radio.power.policy == "lemma1" else 0.0
    for number, device in enumerate(ids):
        apart = np.linalg.norm(where - where[number], axis=1)
        apart[number] = np.inf
        nearest = np.argsort(apart, kind="stable")[:receivers]
        bits = lemma1_bits(
            float(dbm_to_w(radio.p_max_dbm)),
            gains=channel.mean_gains([(device, ids[other]) for other in nearest], 0.0),
            bandwidth_hz=radio.bandwidth_hz,
            deadline_s=radio.deadline_s,
            noise_w=float(channel.noise_w(radio.bandwidth_hz / receivers)),
            margin_ratio=float(db_to_ratio(margin_db)),
        )
        world.learner.limit(device, bits)
