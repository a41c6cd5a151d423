"""The same run alone and beside busy processes: what a busy machine costs, and what is fair.

    python tests/benchmarks/busy.py                            # the quickstart's first round
    python tests/benchmarks/busy.py --busy 0 2 4 --repeats 3
    python tests/benchmarks/busy.py --threads 1 2              # torch's threads, in turn
    python tests/benchmarks/busy.py --env OMP_WAIT_POLICY=passive --env OMP_WAIT_POLICY=active
    python tests/benchmarks/busy.py --against ../other         # another checkout, in turn

A run is a process of its own, from its start to its end, with rounds: 1 and 8 questions a task.
Every repeat plays all of them one after the other. The busy processes keep a core each; they are
started for each run and ended after it.

Processor seconds beside them over those alone are what the run wastes by waiting for its own
threads: 1 is best. The fair share: a scheduler that is fair to threads gives n threads beside k
busy processes C·n/(n + k) of C cores, and never more than n; a run that needs S processor seconds
alone should take S over that. What has one thread gets less, so that a run is above its fair share
alone, too; what counts is how much further it is above it beside others.

Beside it the machine's own limit: one thread that multiplies in bfloat16, and one that passes over
16 MB, neither of which waits for anybody. What they take more beside others is what it costs to
come back to caches that others have filled.

No test: machines are noisy. Anything else that runs meanwhile is one more busy process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from whole_runs import Spent, busy, checkouts, cores, middle, played

SCENARIO = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
# Processor seconds of each, in one thread; the quickstart's model has 30 blocks of width 576.
ONE_THREAD = """
import torch
from time import process_time
rows = torch.randn(256, 576).bfloat16()
weights = [torch.randn(576, 576).bfloat16() for _ in range(30)]
values = torch.randn(4_000_000)

def products():
    hidden = rows
    for weight in weights:
        hidden = torch.nn.functional.silu(hidden @ weight)

def passes():
    values.add_(1.0)

def taken_s(work, times):
    begun_s = process_time()
    for _ in range(times):
        work()
    return process_time() - begun_s

for work in (products, passes):
    taken_s(work, 10)
print(taken_s(products, 200), taken_s(passes, 400))
"""


class Variant(NamedTuple):
    """A checkout, and the environment in which it plays."""

    checkout: str
    environment: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join((self.checkout, *self.environment))

    @property
    def threads(self) -> int:
        """Threads that it computes with, where nothing but the environment says so."""
        given = dict(entry.split("=", 1) for entry in self.environment)
        return int(given.get("OMP_NUM_THREADS", cores()))


def fair_wall_s(cpu_alone_s: float, threads: int, others: int) -> float:
    """The wall time of so much work beside others, if every thread has the same share."""
    return cpu_alone_s / min(threads, cores() * threads / (threads + others))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 4])
    parser.add_argument("--work", choices=("python", "numpy"), default="python")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, nargs="+", default=[])
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--against", type=Path, help="another checkout")
    given = parser.parse_args()
    if 0 not in given.busy:
        parser.error("--busy: 0 is what the others are compared with")
    return given


def variants(given: argparse.Namespace) -> Iterator[Variant]:
    environments: list[tuple[str, ...]] = [
        (f"OMP_NUM_THREADS={threads}",) for threads in given.threads
    ]
    environments += [(entry,) for entry in given.env]
    for environment in environments or [()]:
        for checkout in checkouts(given.against):
            yield Variant(checkout, environment)


def main() -> None:
    given = parsed()
    paths = checkouts(given.against)
    settings = ["rounds=1", "trace.adapters=false", "evaluation.samples=8", *given.set]
    found: dict[tuple[Variant, int], list[Spent]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(given.repeats):
            for others in given.busy:
                for variant in variants(given):
                    out = Path(folder) / f"run-{len(found)}-{repeat}-{others}"
                    environment = dict(entry.split("=", 1) for entry in variant.environment)
                    with busy(others, given.work):
                        spent = played(
                            paths[variant.checkout], given.scenario, out, settings, environment
                        )
                    found.setdefault((variant, others), []).append(spent)
                    tell(given.scenario, variant, others, spent)
    print(table(found))
    print(limit(given.busy, given.work, given.repeats))


def tell(scenario: Path, variant: Variant, others: int, spent: Spent) -> None:
    row = {
        "benchmark": "busy",
        "scenario": scenario.stem,
        "variant": variant.name,
        "busy": others,
        "threads": variant.threads,
        "cores": cores(),
        "wall_s": round(spent.wall_s, 2),
        "cpu_s": round(spent.cpu_s, 2),
        "phases": {
            name: {clock: round(seconds, 2) for clock, seconds in taken.items()}
            for name, taken in spent.phases.items()
        },
        "results_sha256": spent.sha256[:16],
    }
    print(json.dumps(row), flush=True)


def table(found: dict[tuple[Variant, int], list[Spent]]) -> str:
    width = max(len(variant.name) for variant, _ in found)
    lines = [
        f"{'':{width}}  busy  processor s    × alone  wall s         fair s  × fair  × fair alone"
    ]
    for (variant, others), runs in found.items():
        alone = found[variant, 0]
        cpu_alone_s = median(run.cpu_s for run in alone)
        fair_s = fair_wall_s(cpu_alone_s, variant.threads, others)
        fair_alone_s = fair_wall_s(cpu_alone_s, variant.threads, 0)
        times_fair_alone = median(run.wall_s for run in alone) / fair_alone_s
        cpu_s, wall_s = [run.cpu_s for run in runs], [run.wall_s for run in runs]
        lines.append(
            f"{variant.name:{width}}  {others:4}  {middle(cpu_s):13}  "
            f"{median(cpu_s) / cpu_alone_s:7.2f}  {middle(wall_s):13}  {fair_s:6.1f}  "
            f"{median(wall_s) / fair_s:6.2f}  {median(wall_s) / fair_s / times_fair_alone:12.2f}"
        )
    equal = len({run.sha256 for runs in found.values() for run in runs}) == 1
    return "\n".join([*lines, f"the runs' results are {'equal' if equal else 'not equal'}"])


def limit(busy_processes: Sequence[int], work: str, repeats: int) -> str:
    """What one thread of products, and one of passes over memory, takes more beside others."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    taken_s: dict[int, list[list[float]]] = {}
    for _ in range(repeats):
        for others in busy_processes:
            with busy(others, work):
                done = subprocess.run(
                    [sys.executable, "-c", ONE_THREAD],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                    env=environment,
                )
            taken_s.setdefault(others, []).append([float(word) for word in done.stdout.split()])
    medians = {
        others: [median(column) for column in zip(*runs, strict=True)]
        for others, runs in taken_s.items()
    }
    lines = []
    for others in busy_processes:
        if others:
            products, passes = (
                beside / alone for beside, alone in zip(medians[others], medians[0], strict=True)
            )
            lines.append(
                f"one thread that waits for nobody, beside {others}: {products:.2f} times the "
                f"processor seconds for products, {passes:.2f} times for passes over memory"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
