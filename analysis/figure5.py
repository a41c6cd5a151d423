"""Spectral entropy and density by layer and task: Figure 5 of arXiv 2602.20492.

python analysis/figure5.py runs/table1 --out analysis/results/figure5

SWEEP is one with runs of a method whose densities come from the spectral entropy, by default
'proposed'. Reads its traces and writes OUT.csv and OUT.png. A layer is a transformer block: the
entropy is the mean over its adapted modules, the density the share of their B that is kept, both
mean over the devices of a task; bands are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import look
import pandas as pd
from intervals import over_seeds
from matplotlib.ticker import MaxNLocator
from measures import device_tasks, scenario_of
from sweeps import Sweep, command, play

from cosim.errors import SweepError
from cosim.plotting.wording import span
from cosim.trace.reader import Run

PANELS = {"spectral_entropy": "spectral entropy (nat)", "density": "density of B (%)"}


def layers_of(run: Run) -> pd.DataFrame:
    """A row a device and block: task, layer, spectral_entropy, density."""
    blocks = run.layers.groupby(["device", "layer"])
    table = blocks.agg(
        spectral_entropy=("spectral_entropy", "mean"),
        active=("active", "sum"),
        parameters=("parameters", "sum"),
    ).reset_index()
    table["density"] = table["active"] / table["parameters"]
    table["task"] = table["device"].map(dict(enumerate(device_tasks(scenario_of(run)))))
    return table


def table_of(sweep: Sweep, method: str, tasks: Sequence[str] | None) -> pd.DataFrame:
    """A row a task and block: entropy and density, with half-widths over seeds."""
    found = pd.concat([layers_of(run).assign(seed=seed) for _, seed, run in sweep.runs])
    if found["spectral_entropy"].isna().all():
        raise SweepError(f"{sweep.directory}: the runs of '{method}' have no spectral entropies")
    for task in tasks or ():
        if task not in set(found["task"]):
            known = ", ".join(dict.fromkeys(found["task"]))
            raise SweepError(f"--tasks: no device learns '{task}'; there are {known}")
    if tasks:
        found = found[found["task"].isin(tasks)]
    keys = ["task", "layer"]
    table = over_seeds(found, keys, "spectral_entropy").drop(columns="seeds")
    table = table.merge(over_seeds(found, keys, "density"), on=keys)
    table.insert(0, "method", method)
    table["missing_seeds"] = sweep.missing_seeds(method)
    return table.sort_values(keys, ignore_index=True)


def draw(table: pd.DataFrame) -> Any:
    """Entropy above, density below, a line a task."""
    figure, grid = look.panels(2, 1, 4.6, sharex=True)
    tasks = list(dict.fromkeys(table["task"]))
    for (column, title), panel in zip(PANELS.items(), grid[:, 0], strict=True):
        factor = 100 if column == "density" else 1
        for task, style in look.styles(tasks).items():
            own = table[table["task"] == task]
            mean, half = factor * own[column], factor * own[f"{column}_half"].fillna(0)
            panel.plot(own["layer"], mean, linewidth=1.2, markersize=3.5, **style._asdict())
            panel.fill_between(
                own["layer"], mean - half, mean + half, color=style.color, alpha=0.15, linewidth=0
            )
        panel.set_ylabel(title)
    grid[0, 0].set_title(f"mean over {span(table['seeds'])} seeds, 95 % bands")
    grid[1, 0].set_ylim(bottom=0)
    grid[1, 0].set_xlabel("transformer block")
    grid[1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    look.legend(figure, tasks, len(tasks) if len(tasks) < 6 else 4)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument("--method", default="proposed", help="whose layers")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all")
    play(
        parser,
        argv,
        lambda sweep, given: table_of(sweep, given.method, given.tasks),
        lambda table, _: draw(table),
        only=lambda given: given.method,
    )


if __name__ == "__main__":
    main()
