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

import pandas as pd
from intervals import ends, over_how_many, over_seeds
from matplotlib.ticker import MaxNLocator
from measures import device_tasks, scenario_of
from sweeps import Drawn, Sweep, command, play

from cosim.errors import SweepError
from cosim.plotting.style import chunks, sheet
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


def draw(table: pd.DataFrame) -> Drawn:
    """Entropy on the left, density on the right, a line a task; at most six tasks a row."""
    parts = chunks(list(dict.fromkeys(table["task"])))
    figure, rows = sheet([3.0] * len(parts), len(PANELS))
    for styles, row in zip(parts, rows, strict=True):
        for (column, title), panel in zip(PANELS.items(), row.panels, strict=True):
            factor = 100 if column == "density" else 1
            for task, style in styles.items():
                own = table[table["task"] == task]
                low, high = ends(own, column)
                shape: Any = {"linewidth": 0.9, "markersize": 3.0}
                panel.plot(own["layer"], factor * own[column], **shape, **style._asdict())
                band: Any = {"color": style.color, "alpha": 0.15, "linewidth": 0}
                panel.fill_between(own["layer"], factor * low, factor * high, **band)
            panel.set_ylabel(title)
            panel.set_xlabel("transformer block")
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        row.panels[-1].set_ylim(bottom=0)
        row.legend(styles)
    return figure, over_how_many(table["seeds"]).replace("interval", "band")


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
