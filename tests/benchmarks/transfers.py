"""Clarke transfers a second through the whole simulator, with and without tables of phases.

    python tests/benchmarks/transfers.py [DEVICES …]

Network only, degree 4, five rounds; both ways in turn, in one process, on one thread. Prints a
JSON line a run and the ratio of the medians. No test: machines are noisy.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from unittest.mock import patch

import numpy as np

from cosim.scenario.model import Scenario
from cosim.simulation import channel
from cosim.simulation.build import build_learner, build_world
from cosim.simulation.schedule import synchronous
from cosim.trace.schema import Row, TransferRow

REPEATS = 3


class Counter:
    """A trace that only counts transfers."""

    def __init__(self) -> None:
        self.transfers = 0

    def add(self, row: Row) -> None:
        self.transfers += isinstance(row, TransferRow)

    def flush(self) -> None:
        """Nothing is written."""


@contextmanager
def cosines():
    """Every link as a sum of cosines, none from tables."""
    with patch.object(channel, "_even", lambda lengths: np.zeros(len(lengths), dtype=bool)):
        yield


@contextmanager
def tables():
    """As the simulator does it."""
    yield


def transfers_per_second(devices: int) -> float:
    scenario = Scenario.model_validate(
        {
            "rounds": 5,
            "learning": {"model": "none", "payload_bits": 8_000_000, "flop": 1e12},
            "method": {"name": "lora", "topology": {"graph": "random", "degree": 4}},
            "area": {"radius_m": 200.0},
            "devices": [{"count": devices}],
            "radio": {"power": {"policy": "lemma1", "channel_knowledge": "mean"}},
        }
    )
    counter = Counter()
    world = build_world(scenario, build_learner(scenario), counter)
    start = perf_counter()
    world.env.run(until=world.env.process(synchronous(world)))
    return counter.transfers / (perf_counter() - start)


def main() -> None:
    for devices in [int(word) for word in sys.argv[1:]] or [30, 100, 300]:
        found: dict[str, list[float]] = {"cosines": [], "tables": []}
        for _ in range(REPEATS):
            for way in (cosines, tables):
                with way():
                    rate = transfers_per_second(devices)
                found[way.__name__].append(rate)
                print(json.dumps({"devices": devices, "way": way.__name__, "per_s": round(rate)}))
        ratio = median(found["tables"]) / median(found["cosines"])
        print(f"{devices} devices: {median(found['tables']):.0f} transfers/s, {ratio:.1f} times")


if __name__ == "__main__":
    main()
