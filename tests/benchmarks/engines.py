"""The same sweep played by the processes of `cosim sweep` and by Ray's workers.

    python tests/benchmarks/engines.py                       # 8 runs of the network alone
    python tests/benchmarks/engines.py --sweep quickstart    # 2 runs of a round that learn
    python tests/benchmarks/engines.py --sweep learning      # 2 runs of three whole rounds
    python tests/benchmarks/engines.py --seeds 40 --repeats 5

Every repeat plays both engines one after the other, which of them first in turns. Seconds on the
clock are from a shell's prompt to the next, so that Ray's start and end are in them; those of the
runs alone are the sum of what their manifests say; those of the processor are of every process
that the command started, Ray's own included, and a busy machine spoils them least. It says
whether the traces are equal. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NETWORK = f"""
scenario: {SCENARIOS / "lemma1_margin.yaml"}
grid: {{radio.bandwidth_hz: [10.0e6, 20.0e6]}}
set: {{rounds: 60}}
"""
QUICKSTART = f"""
scenario: {SCENARIOS / "quickstart.yaml"}
set: {{rounds: 1, method: local, evaluation.samples: 16, training.steps: 2, trace.adapters: false}}
"""
LEARNING = f"""
scenario: {SCENARIOS / "quickstart.yaml"}
set: {{rounds: 3, evaluation.samples: 32}}
"""
SWEEPS = {"network": NETWORK, "quickstart": QUICKSTART, "learning": LEARNING}
ENGINES = ("processes", "ray")
KINDS = ("wall_s", "runs_s", "processor_s")


class Spent(threading.Thread):
    """Processor seconds of a process and all that come from it, looked at until it ends.

    Processes are known by their parents or, where those have ended, by a mark in the environment.
    """

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self.mark = mark
        self.seconds: dict[tuple[int, float], float] = {}
        self.strangers: set[tuple[int, float]] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.25):
            self.look()

    def look(self) -> None:
        for process in psutil.process_iter():
            try:
                key = (process.pid, process.create_time())
                if key in self.strangers:
                    continue
                if key not in self.seconds and process.environ().get("ENGINES_MARK") != self.mark:
                    self.strangers.add(key)
                    continue
                used = process.cpu_times()
                self.seconds[key] = used.user + used.system
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue


def played(engine: str, sweep: Path, jobs: int, out: Path) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    mark = f"{os.getpid()}-{out}"
    command = [sys.executable, "-m", "cosim", "sweep", str(sweep), "--jobs", str(jobs)]
    command += ["--engine", engine, "--out", str(out)]
    spent = Spent(mark)
    spent.start()
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env={**os.environ, "ENGINES_MARK": mark},
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    spent.ended.set()
    spent.join()
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return wall_s, sum(spent.seconds.values())


def manifests(out: Path) -> dict[str, dict[str, Any]]:
    """Of the completed runs, not of an attempt whose worker died and which was moved aside."""
    told = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/manifest.json")}
    return {name: one for name, one in sorted(told.items()) if one["status"] == "completed"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", choices=SWEEPS, default="network")
    parser.add_argument("--seeds", type=int, help="default: 4 of the network, 2 that learn")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    seeds = given.seeds or (4 if given.sweep == "network" else 2)
    found: dict[str, list[tuple[float, ...]]] = {engine: [] for engine in ENGINES}
    traces: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / f"{given.sweep}.sweep.yaml"
        text = f"{SWEEPS[given.sweep]}seeds: {list(range(1, seeds + 1))}\n"
        sweep.write_text(text, encoding="utf-8")
        for repeat in range(given.repeats):
            for engine in ENGINES[:: -1 if repeat % 2 else 1]:
                out = Path(folder) / f"{engine}-{repeat}"
                wall_s, processor_s = played(engine, sweep, given.jobs, out)
                told = manifests(out)
                runs_s = sum(one["setup_wall_s"] + one["wall_s"] for one in told.values())
                found[engine].append((wall_s, runs_s, processor_s))
                traces.append({name: one["results_sha256"] for name, one in told.items()})
                row = dict(zip(KINDS, (round(x, 2) for x in found[engine][-1]), strict=True))
                print(json.dumps({"engine": engine, "repeat": repeat, **row}), flush=True)
    told_ratios = {}
    print(f"{'':12}  processes s  spread    ray s  spread  ray/processes")
    for number, kind in enumerate(KINDS):
        pool, ray = ([one[number] for one in found[engine]] for engine in ENGINES)
        ratios = [b / a for a, b in zip(pool, ray, strict=True)]
        told_ratios[f"{kind}_ratio"] = [round(ratio, 3) for ratio in sorted(ratios)]
        print(
            f"{kind:12}  {median(pool):11.1f}  {spread(pool):6.0%}  {median(ray):7.1f}  "
            f"{spread(ray):6.0%}  {median(ratios):13.2f}"
        )
    facts = {"benchmark": "engines", "sweep": given.sweep, "jobs": given.jobs}
    facts |= {"runs": len(traces[0]), "traces_equal": all(one == traces[0] for one in traces)}
    print(json.dumps({**facts, **told_ratios}))


def spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / median(values)


if __name__ == "__main__":
    main()
