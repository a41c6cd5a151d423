"""Transfers a second through the whole network simulator, by the number of devices and by what the
air has to do.

    python tests/benchmarks/transfers.py                        # 100 to 10,000 devices
    python tests/benchmarks/transfers.py --devices 500 --rounds 20 --kinds unequal dynamic
    python tests/benchmarks/transfers.py --devices 500 --sources ../other-checkout .

Network only: Clarke fading of 64 sinusoids, random graph of degree 4 within 100 m, transfers of
some 200 slots; the area grows with the devices. Five kinds, in turn:

- lockstep: all devices are equal, and so start together;
- unequal: they compute at speeds of σ = 0.2, as real devices do, and start at all moments;
- dynamic: besides, what a transfer leaves when it ends goes to its sender's others;
- blocks, codeword: unequal, in blocks of 8448 bits, or as one codeword each.

Each is played with its rows only counted, and with its trace written to a temporary folder. One
thread, whose processor time is what counts: other work on the machine slows it less
than the wall clock. Prints a JSON line a run, and how the cost of a transfer grows with the
devices, beside the machine's own limit: the gains of the same links alone, without a network.
With several `--sources` every run is repeated with the code of each, in turn and in a process of
its own, and the medians are compared. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import math
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from cosim.physics.fading import SumOfSinusoids, clarke_power_gains_at_even_steps
from cosim.scenario.model import Scenario
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.trace.schema import Row, TransferRow
from cosim.trace.writer import TraceWriter

SLOTS = 200
KINDS = ("lockstep", "unequal", "dynamic", "blocks", "codeword")


class Counter:
    """A trace that counts transfers and those that were delivered, and writes all rows where it
    has a writer."""

    directory = None

    def __init__(self, writer: TraceWriter | None = None) -> None:
        self.writer = writer
        self.transfers = 0
        self.delivered = 0

    def add(self, row: Row) -> None:
        if isinstance(row, TransferRow):
            self.transfers += 1
            self.delivered += row.outcome == "delivered"
        if self.writer is not None:
            self.writer.add(row)

    def flush(self) -> None:
        if self.writer is not None:
            self.writer.flush()


def scenario(devices: int, rounds: int, kind: str) -> Scenario:
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
                    "speed_sigma": 0.0 if kind == "lockstep" else 0.2,
                    "mobility": {"model": "random_waypoint", "speed_m_s": [1.5, 1.5]},
                }
            ],
            "radio": {
                "deadline_s": 0.85,
                "share": "dynamic" if kind == "dynamic" else "fixed",
                "packets": kind if kind in ("blocks", "codeword") else "fluid",
                "power": {"policy": "lemma1", "channel_knowledge": "mean"},
            },
        }
    )


def played(devices: int, rounds: int, kind: str, *, written: bool = False) -> dict[str, Any]:
    """One run: seconds of the processor for all of its events, set-up left out."""
    chosen = scenario(devices, rounds, kind)
    with TemporaryDirectory() as folder:
        counter = Counter(TraceWriter(Path(folder) / "run") if written else None)
        world = world_of(chosen, build_devices(chosen), build_learner(chosen), counter)
        slots = world.medium.channel.slots([(0, 1)], chosen.radio.deadline_s)[0]
        start = process_time()
        play_out(world)
        counter.flush()
        cpu_s = process_time() - start
    return {
        "kind": kind,
        "written": written,
        "devices": devices,
        "rounds": rounds,
        "slots": slots,
        "transfers": counter.transfers,
        "delivered": counter.delivered,
        "cpu_s": round(cpu_s, 4),
        "transfers_per_s": round(counter.transfers / cpu_s),
    }


def gains_per_second(links: int = 4000) -> float:
    """The limit: |z|² of as many links at as many slots, and nothing else."""
    streams = [np.random.default_rng(number) for number in range(links)]
    fadings = SumOfSinusoids.draw_all(streams, carrier_hz=3.5e9)
    step = np.full(links, 1.5 * 0.85 / SLOTS)
    start = process_time()
    clarke_power_gains_at_even_steps(fadings, 0 * step, step, 0 * step, step, SLOTS)
    return links / (process_time() - start)


def in_a_process(source: str, *given: object) -> dict[str, Any]:
    """What `played` says, in a process of its own with the code of a checkout."""
    command = [sys.executable, __file__, "--play", *map(str, given)]
    where = str(Path(source).absolute())
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": where},
        cwd=where,
    )
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def told(found: dict[tuple[str, int, bool, str], list[float]], sources: list[str]) -> None:
    """A table of medians: transfers a second by kind and devices, of each checkout."""
    for kind, devices, written in dict.fromkeys(key[:3] for key in found):
        line = f"{kind:9} {devices:6} devices{' written' if written else ' counted'}:"
        medians = []
        for source in sources:
            times = found[kind, devices, written, source]
            medians.append(median(times))
            spread = (max(times) - min(times)) / medians[-1]
            line += f"  {1e6 / medians[-1]:6.0f}/s ({medians[-1]:.0f} µs, spread {spread:.0%})"
        if len(sources) > 1:
            line += f"  {medians[0] / medians[-1]:.2f} times as fast"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[100, 500, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=None, help="default: 20, and 5 of 10,000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS[:3]))
    parser.add_argument("--sources", nargs="+", default=["."], help="checkouts, compared in turn")
    parser.add_argument("--written", choices=["both", "no", "yes"], default="both")
    parser.add_argument("--play", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.play:
        devices, rounds, kind, written = given.play
        played(10, 1, kind)  # imports what a graph needs
        print(json.dumps(played(int(devices), int(rounds), kind, written=written == "True")))
        return
    found: dict[tuple[str, int, bool, str], list[float]] = defaultdict(list)
    limits = []
    for _ in range(given.repeats):
        limits.append(gains_per_second())
        for devices in given.devices:
            rounds = given.rounds or (5 if devices >= 10_000 else 20)
            for kind in given.kinds:
                for written in {"both": (False, True), "no": (False,), "yes": (True,)}[
                    given.written
                ]:
                    for source in given.sources:
                        row = in_a_process(source, devices, rounds, kind, written)
                        each_s = row["cpu_s"] / row["transfers"]
                        found[kind, devices, written, source].append(1e6 * each_s)
                        print(json.dumps({"source": source, **row}), flush=True)
    print(f"gains alone: {median(limits):.0f} links/s of {SLOTS} slots")
    told(found, given.sources)


if __name__ == "__main__":
    main()
