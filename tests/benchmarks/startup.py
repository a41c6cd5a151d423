"""Seconds from a process' start to the first training step of a scenario that was run before.

    python tests/benchmarks/startup.py                                   # the quickstart
    python tests/benchmarks/startup.py --scenario scenarios/quickstart.yaml --repeats 3
    python tests/benchmarks/startup.py --against ../other                # another checkout, in turn

Wall and processor seconds until each stage ended, over several starts after one that does not
count. The first output is what `cosim run` says first, to a pipe. Beside them `cosim --help`, what
cosim imports for a run that learns once torch is imported, and the one import that nobody who
computes with torch can do without. The base model is read beside the tasks' rows, whose time is
that of "learner ready". As many threads as torch chooses, or OMP_NUM_THREADS. No test: machines
are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from whole_runs import PYTHON, checkouts, environment_of

HERE = Path(__file__).parent
TORCH = "import torch"
# What a run that learns imports before it reads anything.
BESIDE_TORCH = (
    "import time, torch\n"
    "began = time.perf_counter(), time.process_time()\n"
    "import cosim.cli.app, cosim.observers.progress, cosim.lifecycle.play, cosim.learning.prepare\n"
    "print(time.perf_counter() - began[0], time.process_time() - began[1])\n"
)
Times = dict[str, tuple[float, float]]


def started(checkout: Path, scenario: Path, folder: Path) -> Times:
    """(wall, processor) seconds since the start by stage."""
    command = [sys.executable, str(HERE / "first_step.py"), str(scenario), str(folder)]
    start = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment_of(checkout)
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("{")]
    if not told:
        sys.exit(f"{' '.join(command)} did not reach a training step:\n{done.stderr[-2000:]}")
    return {stage: (at - start, cpu) for stage, (at, cpu) in json.loads(told[-1]).items()}


def until(command: list[str], checkout: Path, *, first_output: bool) -> tuple[float, float]:
    """(wall, processor) seconds of a process, to its end or until it says anything."""
    read, write = os.pipe()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=write, stderr=write, env=environment_of(checkout))
    os.close(write)
    if first_output:
        os.read(read, 1)
        wall_s = time.perf_counter() - start
        process.kill()
    while os.read(read, 1 << 16):
        pass
    os.close(read)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not first_output:
        wall_s = time.perf_counter() - start
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return wall_s, used.ru_utime + used.ru_stime


def beside_torch(checkout: Path) -> tuple[float, float]:
    done = subprocess.run(
        [*PYTHON, "-c", BESIDE_TORCH],
        check=True,
        capture_output=True,
        text=True,
        env=environment_of(checkout),
    )
    wall_s, cpu_s = map(float, done.stdout.split())
    return wall_s, cpu_s


def measured(checkout: Path, scenario: Path, folder: Path) -> Times:
    """Everything once."""
    cosim = [*PYTHON, "-m", "cosim"]
    run = [*cosim, "run", str(scenario), "--out", str(folder / "first")]
    return {
        "cosim --help": until([*cosim, "--help"], checkout, first_output=False),
        "first output": until(run, checkout, first_output=True),
        **started(checkout, scenario, folder / "run"),
        "cosim imported beside torch": beside_torch(checkout),
        "torch imported alone": until([sys.executable, "-c", TORCH], checkout, first_output=False),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    quickstart = HERE.parent.parent / "scenarios" / "quickstart.yaml"
    parser.add_argument("--scenario", type=Path, default=quickstart)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout")
    given = parser.parse_args()
    paths = checkouts(given.against)
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for repeat in range(given.repeats + 1):
        for name in list(paths)[:: -1 if repeat % 2 else 1]:
            with tempfile.TemporaryDirectory() as folder:
                times = measured(paths[name], given.scenario.resolve(), Path(folder))
            if repeat:
                told = {stage: [round(s, 2) for s in pair] for stage, pair in times.items()}
                print(json.dumps({"checkout": name, "repeat": repeat, **told}), flush=True)
                for stage, pair in times.items():
                    found.setdefault(stage, {}).setdefault(name, []).append(pair)
    width = max(map(len, found))
    table = [f"{'':{width}}" + "".join(f"  {n}: wall s  spread  processor s" for n in paths)]
    for stage, by_checkout in found.items():
        line = f"{stage:{width}}"
        for name in paths:
            pairs = by_checkout[name]
            walls, cpus = zip(*pairs, strict=True)
            spread = (max(walls) - min(walls)) / median(walls)
            row = {
                "benchmark": "startup",
                "scenario": given.scenario.stem,
                "checkout": name,
                "stage": stage,
                "wall_s": round(median(walls), 2),
                "spread": round(spread, 3),
                "processor_s": round(median(cpus), 2),
                "repeats": len(pairs),
            }
            print(json.dumps(row), flush=True)
            wall = f"{median(walls):.2f}"
            line += f"  {wall:>{len(name) + 8}}  {spread:6.0%}  {median(cpus):11.2f}"
        table.append(line)
    print("\n".join(table))


if __name__ == "__main__":
    main()
