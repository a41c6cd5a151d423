"""The links that a run would begin with, judged by Lemma 1 where their ends are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import lemma1_power_w
from cosim.scenario.model import Scenario
from cosim.scenario.origins import failures_told
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.link_need import link_need, margin_db
from cosim.simulation.station import Device
from cosim.topology.graphs import Neighbours
from cosim.topology.nearest import nearest_edges

FloatArray = NDArray[np.float64]

# Where all send to all, so many links are enough to judge by.
_MOST_LINKS = 100_000

_MORE = "raise bandwidth_hz, deadline_s or p_max_dbm, send less, or choose nearer neighbours"

_FALLBACK_DOES = {
    "scale": "powers will be scaled down",
    "drop_weakest": "the weakest receivers will get no power",
    "max_power": "p_max will be shared equally",
}


@dataclass(frozen=True)
class FirstLinks:
    """First links are the directed links at time zero, and what Lemma 1 asks for them.

    distances_m: lengths (L,).
    power_w: by sender, the power with the margin (S,).
    unserved: links that p_max does not bring through by Γ at the mean gain, the largest demands of
        each sender.
    reduced: senders that lack part of the margin.
    present: devices that are there.
    alone: those of them that have no link.
    out_of_range: whether nobody has a link because no two are within the graph's range.
    assumed: words on what could not be known.
    """

    distances_m: FloatArray
    power_w: FloatArray
    unserved: int
    reduced: int
    present: int
    alone: int
    out_of_range: bool
    assumed: str


def first_links(
    scenario: Scenario, devices: Sequence[Device], channel: Channel, bits: int
) -> FirstLinks | None:
    """The graph of round 1 among the devices that are there at time zero, `bits` on each link;
    None where nothing is ever sent, or not by links of their own.

    It takes nothing that a run would miss: the graph has a stream of its own by its round, places
    are functions of time, and spells that can be gone through once are not looked at.
    """
    if scenario.method.topology.most_receivers(scenario.device_count - 1) == 0:
        return None
    if scenario.radio.access.model == "air":
        return None
    with failures_told(scenario):
        return _judged(scenario, devices, channel, bits)


def _judged(
    scenario: Scenario, devices: Sequence[Device], channel: Channel, bits: int
) -> FirstLinks:
    ids = [device.id for device in devices if _there(device)]
    graph, assumed = _graph(scenario, channel, ids, bits)
    radio = scenario.radio
    p_max_w, margin = float(dbm_to_w(radio.p_max_dbm)), float(db_to_ratio(margin_db(radio)))
    distances, powers, unserved, reduced = [np.empty(0)], [], 0, 0
    for sender, receivers in graph.items():
        if not receivers:
            continue
        links = [(sender, receiver) for receiver in receivers]
        distances.append(channel.distances_m(links, 0.0))
        required_w = lemma1_power_w(
            bits,
            receivers=len(links),
            bandwidth_hz=radio.bandwidth_hz,
            deadline_s=radio.deadline_s,
            gain=channel.mean_gains(links, 0.0),
            noise_w=channel.noise_w(radio.bandwidth_hz / len(links)),
        )
        with np.errstate(over="ignore"):
            sums = np.cumsum(np.sort(required_w))
        unserved += int((sums > p_max_w).sum())
        reduced += bool(sums[-1] <= p_max_w < sums[-1] * margin)
        powers.append(float(sums[-1]) * margin)
    alone = len(ids) - len(powers) if len(graph) == len(ids) else 0
    lengths_m = np.concatenate(distances)
    return FirstLinks(
        lengths_m,
        np.array(powers),
        unserved,
        reduced,
        len(ids),
        alone,
        not powers and _out_of_range(scenario, channel, ids),
        assumed,
    )


def shortfall(scenario: Scenario, links: FirstLinks) -> str | None:
    """A sentence on what of the first links Lemma 1 cannot bring through by Γ; None where it can
    all."""
    if not links.power_w.size:
        if links.present < 2:
            return None
        if links.out_of_range:
            range_m = scenario.method.topology.farthest_m
            return f"no two devices are within range_m ({range_m:g} m) of each other at the start"
        if not scenario.method.topology.limited:
            return None  # no two happen to meet in the first round
        return f"infeasible: nobody is in reach within Γ; {_MORE}"
    radio, sentences = scenario.radio, []
    if links.unserved:
        fallback = radio.power.fallback if radio.power.policy == "lemma1" else "max_power"
        sentences.append(
            f"infeasible: {links.unserved} of {links.distances_m.size} links cannot meet Γ at "
            f"their mean gain: {_FALLBACK_DOES[fallback]}; {_MORE}"
        )
    if links.reduced:
        senders = "1 sender" if links.reduced == 1 else f"{links.reduced} senders"
        sentences.append(f"p_max leaves {senders} less than the margin")
    return "; ".join(sentences) or None


def _there(device: Device) -> bool:
    if device.spells is None or isinstance(device.spells, Iterator):
        return True
    # Spells of before the run's start have ended by then.
    now = next((since_s for since_s, until_s in device.spells if until_s > 0.0), None)
    return now is not None and now <= 0.0


def _graph(
    scenario: Scenario, channel: Channel, ids: Sequence[int], bits: int
) -> tuple[Neighbours, str]:
    topology = scenario.method.topology
    if len(ids) < 2:
        return {}, ""
    where_m = channel.positions_m(ids, 0.0)
    if topology.negotiated:
        from scipy.spatial import cKDTree  # which other graphs do without

        second = cKDTree(where_m).query(where_m, k=2)[1]
        nearest: Neighbours = {
            sender: (ids[int(row[0] if row[0] != place else row[1])],)
            for place, (sender, row) in enumerate(zip(ids, second, strict=True))
        }
        return nearest, "each to its nearest, because clusters form by what is learnt"
    if topology.joins_all and len(ids) * (len(ids) - 1) > _MOST_LINKS:
        senders = ids[: max(1, _MOST_LINKS // len(ids))]
        some = {sender: tuple(other for other in ids if other != sender) for sender in senders}
        return some, f"of the first {len(senders)} senders"
    need = link_need(channel, ids, bits, 0.0) if topology.limited else None
    random = topology.stream(scenario.seed, 1)
    return topology.neighbours(ids, random, where_m, need), ""


def _out_of_range(scenario: Scenario, channel: Channel, ids: Sequence[int]) -> bool:
    """Whether no pair is within the graph's range, whatever the links carry and chance has it."""
    farthest_m = scenario.method.topology.farthest_m
    if farthest_m is None or len(ids) < 2:
        return False
    return not nearest_edges(channel.positions_m(ids, 0.0), 1, farthest_m)
