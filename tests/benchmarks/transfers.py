"""Transfers a second through the whole network simulator, by the number of devices.

    python tests/benchmarks/transfers.py                        # 100 to 10,000 devices
    python tests/benchmarks/transfers.py --devices 100 1000 --rounds 20
    python tests/benchmarks/transfers.py --devices 500 --speed-sigma 0.2 --share dynamic

Network only: Clarke fading of 64 sinusoids, random graph of degree 4 within 100 m, transfers of
some 200 slots; the area grows with the devices. By default all devices are equal and so start
together, in lockstep, which is what solving transfers together needs; `--speed-sigma` spreads how
fast they compute, as real devices are, and `--share dynamic` solves anew what a finished transfer
leaves. One thread, whose processor time is what counts:
other work on the machine slows it less than the wall clock. Prints a JSON line a run, and how the
cost of a transfer grows with the devices, beside the machine's own limit: the gains of the same
links alone, without a network. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from statistics import median
from time import process_time

import numpy as np

from cosim.physics.fading import ClarkeFading, clarke_power_gains_at_even_steps
from cosim.scenario.model import Scenario
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.trace.schema import Row, TransferRow

SLOTS = 200


class Counter:
    """A trace that only counts transfers and what they took."""

    directory = None

    def __init__(self) -> None:
        self.transfers = 0
        self.delivered = 0

    def add(self, row: Row) -> None:
        if isinstance(row, TransferRow):
            self.transfers += 1
            self.delivered += row.outcome == "delivered"

    def flush(self) -> None:
        """Nothing is written."""


def scenario(devices: int, rounds: int, speed_sigma: float, share: str) -> Scenario:
    """Pedestrians at 1.5 m/s: T_c/4 is 4.3 ms at 3.5 GHz, so Γ = 0.85 s is some 200 slots."""
    return Scenario.model_validate(
        {
            "rounds": rounds,
            "learning": {"model": "none", "payload_bits": 4_000_000, "flop": 1e12},
            "method": {
                "name": "lora",
                "topology": {"graph": "random", "degree": 4, "range_m": 100},
            },
            "area": {"radius_m": 200.0 * math.sqrt(devices / 1000)},
            "devices": [
                {
                    "count": devices,
                    "speed_sigma": speed_sigma,
                    "mobility": {"model": "random_waypoint", "speed_m_s": [1.5, 1.5]},
                }
            ],
            "radio": {
                "deadline_s": 0.85,
                "share": share,
                "power": {"policy": "lemma1", "channel_knowledge": "mean"},
            },
        }
    )


def played(
    devices: int, rounds: int, speed_sigma: float = 0.0, share: str = "fixed"
) -> dict[str, float]:
    """One run: seconds of the processor for all of its events, set-up left out."""
    counter = Counter()
    chosen = scenario(devices, rounds, speed_sigma, share)
    world = world_of(chosen, build_devices(chosen), build_learner(chosen), counter)
    slots = world.medium.channel.slots([(0, 1)], chosen.radio.deadline_s)[0]
    start = process_time()
    play_out(world)
    cpu_s = process_time() - start
    return {
        "devices": devices,
        "rounds": rounds,
        "slots": slots,
        "transfers": counter.transfers,
        "delivered": counter.delivered,
        "cpu_s": round(cpu_s, 2),
        "transfers_per_s": round(counter.transfers / cpu_s),
    }


def gains_per_second(links: int = 4000) -> float:
    """The limit: |z|² of as many links at as many slots, and nothing else."""
    streams = [np.random.default_rng(number) for number in range(links)]
    fadings = ClarkeFading.draw_all(streams, carrier_hz=3.5e9)
    step = np.full(links, 1.5 * 0.85 / SLOTS)
    start = process_time()
    clarke_power_gains_at_even_steps(fadings, 0 * step, step, 0 * step, step, SLOTS)
    return links / (process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[100, 300, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=None, help="default: 20, and 5 of 10,000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--speed-sigma", type=float, default=0.0, help="0: all in lockstep")
    parser.add_argument("--share", choices=["fixed", "dynamic"], default="fixed")
    given = parser.parse_args()
    found: dict[int, list[float]] = {devices: [] for devices in given.devices}
    limits = []
    played(10, 1)  # imports what a graph needs
    for _ in range(given.repeats):
        limits.append(gains_per_second())
        for devices in given.devices:
            rounds = given.rounds or (5 if devices >= 10_000 else 20)
            row = played(devices, rounds, given.speed_sigma, given.share)
            found[devices].append(1e6 * row["cpu_s"] / row["transfers"])
            print(json.dumps(row), flush=True)
    cost = {devices: median(times) for devices, times in found.items()}
    print(f"gains alone: {median(limits):.0f} links/s of {SLOTS} slots")
    for devices, each_us in cost.items():
        spread = (max(found[devices]) - min(found[devices])) / each_us
        print(f"{devices:6} devices: {each_us:.0f} µs a transfer, spread {spread:.0%}")
    if len(cost) > 1:
        slope = np.polyfit(np.log(list(cost)), np.log(list(cost.values())), 1)[0]
        print(f"cost of a transfer grows as devices^{slope:.2f}")


if __name__ == "__main__":
    main()
