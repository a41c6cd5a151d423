"""Seconds that AGNES takes to cluster devices by their masks and powers, by their number.

    python tests/benchmarks/clustering.py                    # 100, 300 and 1000 devices
    python tests/benchmarks/clustering.py --devices 50 --layers 7 --repeats 1

Every device has a density of its own in each of 210 layers (SmolLM2-135M's adapted ones), stands
in a disc of 100 m and may send with 23 dBm; the powers follow from Lemma 1. The limit: for every
merge that was done, the product of the remaining clusters' rates with one vector, twice, and
nothing else. One thread. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from interleaved import interleaved, tell
from numpy.typing import NDArray

from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.pathloss import log_distance_gain
from cosim.physics.power import lemma1_power_w
from cosim.physics.rate import noise_w
from cosim.topology.cluster_power import PowerNeed
from cosim.topology.clustering import Clustering, agnes

BAND_HZ, DEADLINE_S, CARRIER_HZ = 40e6, 5.0, 3.5e9
VALUES = 4.9e6  # of B at rank 32


class Case:
    """Devices to cluster."""

    def __init__(self, devices: int, layers: int, limit: float) -> None:
        random = np.random.default_rng(1)
        budgets = random.uniform(0.06, 0.14, (devices, 1))
        self.densities = np.clip(budgets * random.lognormal(0, 0.5, (devices, layers)), 0, 1)
        self.limit = limit
        radius, angle = 100 * np.sqrt(random.random(devices)), 2 * np.pi * random.random(devices)
        places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        np.fill_diagonal(apart, 1.0)
        self.attenuation = 1.0 / log_distance_gain(
            np.maximum(apart, 1.0), exponent=3.0, carrier_hz=CARRIER_HZ
        )

    def unit_power_w(self, degree: int) -> NDArray[np.float64]:
        return np.asarray(
            lemma1_power_w(
                16 * VALUES * self.densities.mean(1),
                receivers=degree,
                bandwidth_hz=BAND_HZ,
                deadline_s=DEADLINE_S,
                gain=1.0,
                noise_w=noise_w(BAND_HZ / degree, 9.0),
            )
        )

    def clustered(self) -> Clustering:
        margin = float(db_to_ratio(6.0))
        power = PowerNeed(self.attenuation, self.unit_power_w, float(dbm_to_w(23.0)) / margin)
        return agnes(self.densities, self.limit, power=power)

    def products(self, merges: int) -> None:
        rates, vector = np.array(self.densities), np.array(self.densities[0])
        for done in range(merges):
            remaining = rates[: len(rates) - done]
            remaining @ vector
            remaining @ vector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--layers", type=int, default=210)
    parser.add_argument("--limit", type=float, default=0.2, help="S_max, the collision rate")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    for devices in given.devices:
        case = Case(devices, given.layers, given.limit)
        found = case.clustered()
        merges = len(found.merges)
        largest = max(map(len, found.clusters))
        print(f"{devices} devices: {merges} merges, {len(found.clusters)} clusters of ≤ {largest}")
        works: dict[str, Callable[[], object]] = {
            "products": partial(case.products, merges),
            "AGNES": case.clustered,
        }
        facts = {"benchmark": "clustering", "devices": devices, "merges": merges}
        tell(interleaved(works, given.repeats), limit="products", **facts)


if __name__ == "__main__":
    main()
