"""A run of the paper's table 1 by phases: where an experiment's time goes.

    python tests/benchmarks/experiment.py --tasks DIR
    python tests/benchmarks/experiment.py --tasks DIR --methods proposed --rounds 1 --repeats 3
    python tests/benchmarks/experiment.py --tasks DIR --against ../other   # in turn

DIR has a folder a task, as the head of scenarios/paper/smollm2.yaml says. A run is a process of
its own; every repeat plays each method in this checkout and the other, which of them first in
turns. A checkout that does not tell phases has the whole process alone. No test: machines are
noisy.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import median

from whole_runs import Spent, checkouts, middle, played

SCENARIO = Path(__file__).parents[2] / "scenarios" / "paper" / "smollm2.yaml"
WHOLE = "whole process"
Found = dict[tuple[str, str], list[Spent]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--methods", nargs="+", default=["proposed", "lora"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--against", type=Path, help="another checkout")
    given = parser.parse_args()
    paths = checkouts(given.against)
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / given.scenario.name
        shutil.copy(given.scenario, scenario)
        (Path(folder) / "tasks").symlink_to(given.tasks.resolve())
        for repeat in range(given.repeats):
            for method in given.methods:
                for name in list(paths)[:: -1 if repeat % 2 else 1]:
                    out = Path(folder) / f"{name}-{method}-{repeat}"
                    settings = [f"rounds={given.rounds}", f"method={method}", *given.set]
                    spent = played(paths[name], scenario, out, settings)
                    found.setdefault((method, name), []).append(spent)
                    tell(method, name, repeat, given.rounds, spent)
    for method in given.methods:
        print(table(method, {name: found[method, name] for name in paths}))


def tell(method: str, checkout: str, repeat: int, rounds: int, spent: Spent) -> None:
    whole = {"wall_s": spent.wall_s, "cpu_s": spent.cpu_s}
    row = {
        "benchmark": "experiment",
        "method": method,
        "checkout": checkout,
        "repeat": repeat,
        "rounds": rounds,
        "results_sha256": spent.sha256[:16],
        **{
            phase: {clock: round(seconds, 2) for clock, seconds in taken.items()}
            for phase, taken in {WHOLE: whole, **spent.phases}.items()
        },
    }
    print(json.dumps(row), flush=True)


def table(method: str, runs_of: dict[str, list[Spent]]) -> str:
    """Phases by row, checkouts by column, and this one's processor time over the other's."""
    names = [WHOLE, *dict.fromkeys(p for runs in runs_of.values() for r in runs for p in r.phases)]
    head = "".join(f"  {f'{name}: wall s':>14}  {'processor s':>14}" for name in runs_of)
    lines = [f"{method:14}{head}" + ("  processor, this/other" if len(runs_of) > 1 else "")]
    for phase in names:
        cells, medians = "", []
        for runs in runs_of.values():
            taken = [
                (run.wall_s, run.cpu_s)
                if phase == WHOLE
                else (run.phases[phase]["wall_s"], run.phases[phase]["cpu_s"])
                for run in runs
                if phase == WHOLE or phase in run.phases
            ]
            if not taken:
                cells += f"  {'':14}  {'':14}"
                continue
            walls_s, cpus_s = zip(*taken, strict=True)
            cells += f"  {middle(walls_s):>14}  {middle(cpus_s):>14}"
            medians.append(median(cpus_s))
        both = len(medians) == 2 and medians[1] > 0
        lines.append(f"{phase:14}{cells}" + (f"  {medians[0] / medians[1]:21.2f}" if both else ""))
    hashes = {run.sha256 for runs in runs_of.values() for run in runs}
    return "\n".join([*lines, f"results: {'equal' if len(hashes) == 1 else 'not equal'}\n"])


if __name__ == "__main__":
    main()
