"""Seconds from a process' start to the first training step of a scenario that was run before.

    python tests/benchmarks/startup.py                                   # the quickstart
    python tests/benchmarks/startup.py --scenario scenarios/quickstart.yaml --repeats 3

Wall and processor seconds until each stage ended, over several starts after one that does not
count. Beside them the one import that nobody who computes with torch can do without. The base
model is read beside the tasks' rows, whose time is that of "learner ready". As many threads as
torch chooses, or OMP_NUM_THREADS. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
IMPORTS = "import torch"
LIMIT = "torch imported alone"


def started(scenario: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """(wall, processor) seconds since the start by stage."""
    command = [sys.executable, str(HERE / "first_step.py"), str(scenario), str(folder)]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if line.startswith("{")]
    if not told:
        sys.exit(f"{' '.join(command)} did not reach a training step:\n{done.stderr[-2000:]}")
    return {stage: (at - start, cpu) for stage, (at, cpu) in json.loads(told[-1]).items()}


def imported() -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    quickstart = HERE.parent.parent / "scenarios" / "quickstart.yaml"
    parser.add_argument("--scenario", type=Path, default=quickstart)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {LIMIT: []}
    for repeat in range(given.repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            stages = started(given.scenario, Path(folder) / "run")
        alone = imported()
        if repeat:
            for stage, times in {**stages, LIMIT: alone}.items():
                found.setdefault(stage, []).append(times)
    width = max(map(len, found))
    table = [f"{'':{width}}  wall s  spread  processor s"]
    for stage, seconds in found.items():
        walls, cpus = zip(*seconds, strict=True)
        spread = (max(walls) - min(walls)) / median(walls)
        row = {
            "benchmark": "startup",
            "scenario": given.scenario.stem,
            "stage": stage,
            "wall_s": round(median(walls), 2),
            "spread": round(spread, 3),
            "processor_s": round(median(cpus), 2),
            "repeats": len(times),
        }
        print(json.dumps(row), flush=True)
        table.append(f"{stage:{width}}  {median(walls):6.2f}  {spread:6.0%}  {median(cpus):11.2f}")
    print("\n".join(table))


if __name__ == "__main__":
    main()
