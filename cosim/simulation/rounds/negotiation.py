"""Clusters of devices: calibrate, announce, merge, and tell when geometry has outdated them.

The heads of arXiv 2602.20492, section IV-C: a cluster's head is its smallest member. A device alone
announces its densities, a merged cluster the two numbers a layer from which the others compute
eq. 19; every announcement is one transfer at p_max and takes its time. Merges follow one another.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Event, Interrupt

from cosim.methods.codec.floating import Floating
from cosim.methods.message import Turn
from cosim.methods.topology.clusters import Clusters
from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import lemma1_power_w
from cosim.simulation.message import AddressedMessage
from cosim.simulation.station import Station
from cosim.simulation.world import World
from cosim.topology.cluster_power import PowerNeed
from cosim.topology.clustering import agnes
from cosim.trace.schema import Cause, EventKind, TransferKind

FloatArray = NDArray[np.float64]

# A density, or one of the two numbers that a merged cluster announces of a layer.
_BITS_PER_NUMBER = 16
# The round of a calibration that stands alone.
CALIBRATION = 0


def negotiate(
    world: World, choice: Clusters, stations: Sequence[Station], round_: int
) -> Generator[Event, Any, tuple[tuple[int, ...], ...]]:
    """Forms clusters of these devices, and takes the time and energy that it takes.

    The clusters are AGNES's under S_max and Lemma 1's power constraint at the mean gains of this
    moment. Announcements are heard by every head that could join; the farthest of them, whose
    link sets the rate, is the one whose reception is charged. A lost announcement is not repeated
    and does not change the clusters.
    """
    for station in stations:
        station.round = round_
    lives = [world.env.process(_calibrate(world, station, round_)) for station in stations]
    for station, life in zip(stations, lives, strict=True):
        station.life = life
    yield world.env.all_of(lives)
    stations = [station for station in stations if station.present]
    if len(stations) < 2:
        return tuple((station.id,) for station in stations)
    ids = [station.id for station in stations]
    described = world.learner.describe(ids)
    densities, sizes = described.densities, described.sizes
    gains = _mean_gains(world, ids)
    clustering = agnes(
        densities,
        choice.max_collision_rate,
        weights=sizes,
        power=_power_need(world, densities, sizes, gains),
    )
    layers = densities.shape[1]
    heads = dict(enumerate(stations))
    yield from _announce(world, heads, list(heads), layers, gains, round_)
    for merge in clustering.merges:
        del heads[merge.absorbed]
        yield from _announce(world, heads, [merge.kept], 2 * layers, gains, round_)
    return tuple(tuple(ids[member] for member in cluster) for cluster in clustering.clusters)


def needs_reclustering(
    world: World, clusters: Sequence[Sequence[int]], stations: Sequence[Station]
) -> bool:
    """Whether clusters must be formed anew: a device is in none of them, or a member's Lemma 1
    powers at the mean gains of this moment exceed p_max, the constraint that formed them."""
    present = {station.id for station in stations}
    if present - {device for cluster in clusters for device in cluster}:
        return True
    for cluster in clusters:
        ids = [device for device in cluster if device in present]
        if len(ids) > 1:
            described = world.learner.describe(ids)
            gains = _mean_gains(world, ids)
            need = _power_need(world, described.densities, described.sizes, gains)
            attenuation = need.checked_attenuation(len(ids))
            power_w = need.at_gain_one_w(len(ids) - 1, len(ids)) * attenuation.sum(axis=1)
            if bool((power_w > need.limit_w(len(ids))).any()):
                return True
    return False


def _calibrate(world: World, station: Station, round_: int) -> Generator[Event, Any, None]:
    """Calibrates a device by a forward pass over a small batch of its own, once in its life."""
    job = world.learner.submit(station.id, CALIBRATION)
    if job is None:
        return
    world.record.event(EventKind.COMPUTE_START, station.id, round_, Cause.TRIGGERED)
    station.meter.compute(True)
    try:
        yield world.env.timeout(station.device.compute_time_s(job.work))
    except Interrupt as cut:
        job.discard()
        world.record.event(EventKind.CUT_OFF, station.id, round_, Cause(str(cut.cause)))
        return
    station.meter.compute(False)
    job.result()
    world.record.event(EventKind.COMPUTE_END, station.id, round_, Cause.COMPUTE_FINISHED)


def _announce(
    world: World,
    heads: dict[int, Station],
    speakers: Sequence[int],
    numbers: int,
    gains: FloatArray,
    round_: int,
) -> Generator[Event, Any, None]:
    """Has speakers tell all other heads that are there, at the rate of the weakest link to one."""
    bursts = []
    for speaker in speakers:
        others = [head for head, station in heads.items() if head != speaker and station.present]
        if others and heads[speaker].present:
            farthest = heads[min(others, key=lambda head: float(gains[speaker, head]))]
            bits = numbers * _BITS_PER_NUMBER
            message = AddressedMessage(farthest.id, bits, None, TransferKind.CONTROL)
            bursts.append(world.medium.send(heads[speaker], [message], Turn(round_)))
    yield world.env.all_of([burst.over for burst in bursts])


def _mean_gains(world: World, ids: Sequence[int]) -> FloatArray:
    """ḡ (M, M) between all of the devices at this moment, symmetric; 0 on the diagonal."""
    first, second = np.triu_indices(len(ids), k=1)
    links = [(ids[int(a)], ids[int(b)]) for a, b in zip(first, second, strict=True)]
    gains = np.zeros((len(ids), len(ids)))
    gains[first, second] = world.medium.channel.mean_gains(links, float(world.env.now))
    return gains + gains.T


def _power_need(
    world: World, densities: FloatArray, sizes: NDArray[Any], gains: FloatArray
) -> PowerNeed:
    """The power that Lemma 1 asks for the values that each device sends a round, with the
    scenario's margin."""
    radio, adapter = world.scenario.radio, world.scenario.adapter
    kept = np.rint(densities * sizes).astype(int).tolist()
    # Where nothing is learnt no codec makes anything of a message.
    alone = world.scenario.learning.model == "none"
    codec = Floating() if alone else world.scenario.method.codec
    bits = np.array([codec.factor_bits(counts, adapter.bits_per_value) for counts in kept], float)
    margin = radio.power.margin_db if radio.power.policy == "lemma1" else 0.0

    def at_gain_one_w(degree: int) -> FloatArray:
        power = lemma1_power_w(
            bits,
            receivers=degree,
            bandwidth_hz=radio.bandwidth_hz,
            deadline_s=radio.deadline_s,
            gain=1.0,
            noise_w=world.medium.channel.noise_w(radio.bandwidth_hz / degree),
        )
        return np.asarray(power * db_to_ratio(margin))

    with np.errstate(divide="ignore"):
        attenuation = 1.0 / gains
    return PowerNeed(attenuation, at_gain_one_w, float(dbm_to_w(radio.p_max_dbm)))
