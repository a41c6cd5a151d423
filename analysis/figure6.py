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

import pandas as pd
from intervals import ends, over_how_many, over_seeds
from matplotlib.lines import Line2D
from measures import device_tasks, scenario_of
from sweeps import Drawn, Sweep, script

from cosim.errors import SweepError
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.style import chunks, legend_lines, limits, sheet
from cosim.plotting.ticks import number_axis

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


def draw(table: pd.DataFrame) -> Drawn:
    """Measured rates as filled marks on their lines, predicted ones as open marks."""
    parts = chunks(list(dict.fromkeys(table["method"])))
    figure, rows = sheet([3.4] * len(parts), 1)
    open_marks: Any = {"marker": "o", "linestyle": "", "fillstyle": "none", "color": "0.4"}
    for styles, row in zip(parts, rows, strict=True):
        (panel,) = row.panels
        for place, (label, style) in enumerate(styles.items()):
            own = table[table["method"] == label].sort_values("devices")
            for kind, fill in KINDS.items():
                joined = style if kind == "measured" else style._replace(linestyle="")
                draw_marks(
                    panel,
                    own["devices"].tolist(),
                    own[kind].tolist(),
                    *ends(own, kind, 0.0, 1.0),
                    joined,
                    aside_pt(place, len(styles)),
                    fillstyle=fill,
                )
        panel.set_xlabel("devices")
        panel.set_ylabel("collision rate, share of positions of B")
        number_axis(panel, sorted(set(table["devices"].astype(float))))
        bounds = [
            [end.fillna(table[kind]) for end in ends(table, kind, 0.0, 1.0)] for kind in KINDS
        ]
        lows, highs = (pd.concat(parts).dropna() for parts in zip(*bounds, strict=True))
        panel.set_ylim(*limits(lows, highs, 0.0, 1.0))
        row.named([*legend_lines(styles), Line2D([], [], label="predicted (eq. 19)", **open_marks)])
    beside = "Marks side by side belong to one number of devices."
    return figure, f"{over_how_many(table['seeds'])} {beside}"


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
