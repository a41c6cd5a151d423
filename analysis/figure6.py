"""Collision rate against the number of devices, predicted and measured: arXiv 2602.20492, Fig. 6.

python analysis/figure6.py runs/devices --out analysis/results/figure6

SWEEP is a grid of methods, numbers of devices and seeds, such as
scenarios/paper/devices.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. The rate is
of a device and those it exchanges with, mean over devices and over the rounds after the first, in
which some masks have yet to be chosen; predicted as eq. 19 does from densities, measured on the
masks. Intervals are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import look
import pandas as pd
from intervals import over_seeds
from matplotlib.lines import Line2D
from measures import device_tasks, scenario_of
from sweeps import Sweep, script

from cosim.errors import SweepError
from cosim.plotting.wording import span

AXES = ("devices",)
KINDS = {"measured": "full", "predicted": "none"}


def rates(sweep: Sweep) -> pd.DataFrame:
    """A row a run whose devices exchange: label, seed, devices, predicted, measured."""
    rows = []
    for label, seed, run in sweep.runs:
        plans = run.topology
        if run.transfers.empty:
            continue
        later = plans[plans["round"] > 1] if plans["round"].max() > 1 else plans
        told = {kind: later[f"collision_{kind}"].mean() for kind in KINDS}
        devices = len(device_tasks(scenario_of(run)))
        rows.append({"label": label, "seed": seed, "devices": devices, **told})
    columns = ["label", "seed", "devices", *KINDS]
    found = pd.DataFrame(rows, columns=columns).dropna(subset=list(KINDS), how="all")
    if found.empty:
        raise SweepError(f"{sweep.directory} has no collision rate: nothing was exchanged")
    return found


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a method and number of devices."""
    found = rates(sweep)
    keys = ["label", "devices"]
    table = over_seeds(found, keys, "measured")
    table = table.merge(over_seeds(found, keys, "predicted").drop(columns="seeds"), on=keys)
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["label"]]
    return table.rename(columns={"label": "method"})


def draw(table: pd.DataFrame) -> Any:
    """Measured rates as filled marks on full lines, predicted ones as open marks."""
    figure, grid = look.panels(1, 1, 3.8)
    panel = grid[0, 0]
    labels = list(dict.fromkeys(table["method"]))
    for label, style in look.styles(labels).items():
        own = table[table["method"] == label].sort_values("devices")
        for kind, fill in KINDS.items():
            panel.errorbar(
                own["devices"],
                own[kind],
                yerr=look.within_a_rate(own[kind], own[f"{kind}_half"], 1.0),
                color=style.color,
                marker=style.marker,
                fillstyle=fill,
                linestyle=style.linestyle if kind == "measured" else ":",
                markersize=5,
                linewidth=1.2,
                capsize=2,
            )
    panel.set_xlabel("devices")
    panel.set_ylabel("collision rate, share of positions of B")
    panel.set_xticks(sorted(set(table["devices"])))
    panel.set_ylim(-0.02, 1.02)
    panel.set_title(f"mean over {span(table['seeds'])} seeds, 95 % intervals")
    open_marks: dict[str, Any] = {
        "color": "0.4",
        "marker": "o",
        "linestyle": ":",
        "fillstyle": "none",
    }
    look.legend(figure, labels, 3, Line2D([], [], label="predicted (eq. 19)", **open_marks))
    return figure


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
