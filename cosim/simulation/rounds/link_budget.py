"""What a device's links carry by the deadline: how much it may train, and how readily it speaks."""

from __future__ import annotations

import numpy as np

from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import lemma1_bits
from cosim.simulation.world import World


def inform_of_links(world: World) -> None:
    """Tells every device what its links carry, in bits and in shares of the mean over all devices,
    where its method hangs on that.

    Who chooses a mask lowers Q_budget to it, if that is less than it can compute (eq. 22 with 11a
    of arXiv 2602.20492). A link budget is what Lemma 1 brings by Γ with p_max and the scenario's
    margin to the nearest other devices where they are at the start, at mean gains: to as many as
    the topology gives a device; in clusters to one, because negotiation keeps those apart whose
    power does not suffice for more.
    """
    scenario = world.scenario
    receivers = scenario.method.topology.budgeted_receivers(scenario.device_count - 1)
    masked = scenario.method.expansion.masked and scenario.learning.model != "none"
    if receivers == 0 or not (masked or scenario.method.sending.asks_rates):
        return
    carried = _carried_bits(world, receivers)
    mean = sum(carried) / len(carried)
    for device, bits in enumerate(carried):
        world.learner.inform(device, bits, bits / mean if mean > 0 else None)


def _carried_bits(world: World, receivers: int) -> list[float]:
    """What Lemma 1 brings by Γ from each device to each of so many nearest ones."""
    radio, channel = world.scenario.radio, world.medium.channel
    ids = [station.id for station in world.stations]
    where = channel.positions_m(ids, 0.0)
    margin_db = radio.power.margin_db if radio.power.policy == "lemma1" else 0.0
    carried = []
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
        carried.append(float(bits))
    return carried
