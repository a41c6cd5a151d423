"""What power the links between devices need to be in time, from where the devices are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.power import lemma1_power_w
from cosim.scenario.outside.path_loss import PathLoss as OutsidePathLoss
from cosim.scenario.radio import Radio
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.mean_gain import mean_gain
from cosim.topology.link_power import LinkNeed

FloatArray = NDArray[np.float64]

# A link has more than this many σ of shadowing in its favour once in 3.5 million.
_LIKELY_SIGMAS = 5.0
# Distances that any link spans, between which reaches are sought.
_NEAREST_M, _FARTHEST_M = 1e-3, 1e8
_HALVINGS = 60
# A reach is sought with so much gain in hand: LOS loss has a step of less at its break point.
_IN_HAND_DB = 0.1
# Of a path loss from outside: 0.04 % from one distance to the next, and the rank of a pair that
# hardly ever sees.
_DISTANCES = 1 << 16
_BLIND = float(np.nextafter(1.0, 0.0))


def margin_db(radio: Radio) -> float:
    """The margin that is radiated above Lemma 1's demand; 0 where the policy is another."""
    return radio.power.margin_db if radio.power.policy == "lemma1" else 0.0


def link_need(channel: Channel, devices: Sequence[int], bits: ArrayLike, time_s: float) -> LinkNeed:
    """Lemma 1 with the scenario's margin between devices, at the mean gains of a moment.

    `bits` is what each device has for each of its receivers, (M,) or one number. The result counts
    the devices from 0 in the order given.
    """
    radio = channel.radio
    ids = np.array(devices, dtype=np.int64)
    sent = np.broadcast_to(np.asarray(bits, dtype=np.float64), ids.shape)
    margin = float(db_to_ratio(margin_db(radio)))

    where_m = channel.positions_m(ids, time_s)

    def attenuation(pairs: NDArray[np.int64]) -> FloatArray:
        here_m, there_m = where_m[pairs[:, 0]], where_m[pairs[:, 1]]
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / channel.mean_gains_between(ids[pairs], here_m, there_m))

    def unit_power_w(degree: int) -> FloatArray:
        power_w = lemma1_power_w(
            sent,
            receivers=degree,
            bandwidth_hz=radio.bandwidth_hz,
            deadline_s=radio.deadline_s,
            gain=1.0,
            noise_w=channel.noise_w(radio.bandwidth_hz / degree),
        )
        return np.asarray(power_w * margin)

    return LinkNeed(
        attenuation,
        unit_power_w,
        float(dbm_to_w(radio.p_max_dbm)),
        shared_equally=radio.power.policy == "max_power",
        reach_m=lambda attenuations: reach_m(radio, attenuations),
    )


def reach_m(radio: Radio, attenuations: ArrayLike) -> FloatArray:
    """Distances (K,) beyond which no link has as little as these attenuations 1/ḡ (K,): in line
    of sight, and with five σ of shadowing in its favour."""
    in_favour_db = _IN_HAND_DB + _LIKELY_SIGMAS * radio.shadowing.sigma_db
    most = np.asarray(attenuations, dtype=np.float64) * db_to_ratio(in_favour_db)
    if isinstance(radio.path_loss, OutsidePathLoss):
        return _farthest_m(radio, most)
    near = np.full(most.shape, np.log(_NEAREST_M))
    far = np.full(most.shape, np.log(_FARTHEST_M))
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        gain = mean_gain(np.exp(middle), radio.path_loss, radio.carrier_hz, 0.0)
        within = gain * most >= 1.0
        near, far = np.where(within, middle, near), np.where(within, far, middle)
    return np.asarray(np.exp(far))


def _farthest_m(radio: Radio, most: FloatArray) -> FloatArray:
    """The same by a path loss that may fall with distance, and be less without a line of sight:
    among distances so dense that between two of them no loss changes by the gain in hand."""
    distances = np.geomspace(_NEAREST_M, _FARTHEST_M, _DISTANCES)
    by_sight = [
        mean_gain(distances, radio.path_loss, radio.carrier_hz, rank) for rank in (0.0, _BLIND)
    ]
    # The largest gain at a distance or beyond it, which falls.
    beyond = np.maximum.accumulate(np.maximum(*by_sight)[::-1])[::-1]
    with np.errstate(divide="ignore"):
        least = 1.0 / beyond
    within = np.searchsorted(least, most, side="right")
    return distances[np.minimum(within, _DISTANCES - 1)]
