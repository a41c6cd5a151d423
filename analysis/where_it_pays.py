"""Which method wins, and by how much, over conflict between tasks and link budget.

python analysis/where_it_pays.py runs/where_it_pays --out analysis/results/where_it_pays

SWEEP is a grid of methods, tasks with and without `relabel`, bandwidths or deadlines, and seeds,
such as scenarios/paper/where_it_pays.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png.
Conflict is the share of tasks whose answers are exchanged, the link budget W·Γ of a sender.
Each tile is a cell that was played; between them nothing was measured. It names the method with the
highest accuracy and its lead over the second, ± the half-width of a 95 % interval over the
differences of each seed; where that reaches 0, nobody has won.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from intervals import over_seeds, paired
from matplotlib.patches import Patch, Rectangle
from measures import accuracy_by_task, scenario_of, traffic
from sweeps import Drawn, Sweep, script

from cosim.errors import SweepError
from cosim.plotting.style import STYLES, sheet
from cosim.plotting.wording import span

AXES = ("tasks", "radio")
KEYS = ["conflict", "link_mbit"]
_UNDECIDED: Any = {"facecolor": "white", "edgecolor": "0.75", "hatch": "///", "linewidth": 0}
_FAINTEST, _DEEPEST, _POINTS_AT_DEEPEST = 0.2, 0.85, 15.0


def scores(sweep: Sweep) -> pd.DataFrame:
    """A row a run: label, seed, conflict, link_mbit, accuracy, missed, gbit."""
    rows = []
    for label, seed, run in sweep.runs:
        scenario, transfers = scenario_of(run), run.transfers
        tasks, radio = scenario["tasks"].values(), scenario["radio"]
        relabelled = sum(task.get("relabel") is not None for task in tasks)
        late = float("nan") if transfers.empty else (transfers["outcome"] != "delivered").mean()
        told = {
            "label": label,
            "seed": seed,
            "conflict": relabelled / len(tasks),
            "link_mbit": radio["bandwidth_hz"] * radio["deadline_s"] / 1e6,
            "accuracy": accuracy_by_task(run).mean(),
            "missed": late,
            "gbit": traffic(run)["gbit"],
        }
        rows.append(told)
    return pd.DataFrame(rows)


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a cell and method: accuracy, missed, gbit; the winner's row has its lead."""
    if len(sweep.labels) < 2:
        raise SweepError(f"{sweep.directory}: one method alone cannot win")
    found = scores(sweep)
    table = over_seeds(found, [*KEYS, "label"], "accuracy")
    means = found.groupby([*KEYS, "label"], sort=False)[["missed", "gbit"]].mean().reset_index()
    table = table.merge(means, on=[*KEYS, "label"])
    leads = []
    for point, own in table.groupby(KEYS, sort=False):
        first, *others = own.sort_values("accuracy", ascending=False)["label"]
        if not others:
            continue
        cell = found[(found[KEYS] == list(point)).all(axis=1)]
        lead = paired(cell, others[0], "accuracy", KEYS)
        leads.append(lead[lead["label"] == first].assign(second=others[0]))
    if not leads:
        raise SweepError(f"{sweep.directory}: no cell has two methods with completed runs")
    lead = pd.concat(leads).rename(columns={"gain": "lead", "gain_half": "lead_half"})
    lead["decided"] = lead["lead"] > lead["lead_half"]
    table = table.merge(lead, on=["label", *KEYS], how="left")
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["label"]]
    return table.sort_values([*KEYS, "label"], ignore_index=True).rename(
        columns={"label": "method"}
    )


def draw(table: pd.DataFrame) -> Drawn:
    """A tile a conflict and link budget, in the winner's colour, deeper with its lead."""
    budgets, conflicts = (sorted(set(table[key])) for key in ("link_mbit", "conflict"))
    figure, (row,) = sheet([1.0 + 0.85 * len(conflicts)], 1)
    (panel,) = row.panels
    labels = list(dict.fromkeys(table["method"]))
    # A tile names its winner, so that colours may come again.
    colour = {label: STYLES[at % len(STYLES)].color for at, label in enumerate(labels)}
    for tile in table[table["lead"].notna()].itertuples():
        x, y = budgets.index(tile.link_mbit), conflicts.index(tile.conflict)
        depth = _FAINTEST + (_DEEPEST - _FAINTEST) * min(1, 100 * tile.lead / _POINTS_AT_DEEPEST)
        fill = {"facecolor": colour[tile.method], "alpha": depth, "linewidth": 0}
        if not tile.decided:
            fill = _UNDECIDED
        panel.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **fill))
        half = "" if np.isnan(tile.lead_half) else f" ± {100 * tile.lead_half:.1f}"
        words = f"{tile.method}\n+{100 * tile.lead:.1f}{half}"
        box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5}
        panel.text(x, y, words, ha="center", va="center", bbox=box)
    panel.set_xlim(-0.5, len(budgets) - 0.5)
    panel.set_ylim(-0.5, len(conflicts) - 0.5)
    panel.set_xticks(range(len(budgets)), [f"{budget:g}" for budget in budgets])
    panel.set_yticks(range(len(conflicts)), [f"{100 * share:.0f}" for share in conflicts])
    panel.set_xlabel("link budget of a sender, W·Γ (Mbit at 1 bit/s/Hz)")
    panel.set_ylabel("tasks with exchanged\nanswers (%)")
    panel.grid(visible=False)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    won = set(table.loc[table["decided"].eq(True), "method"])
    keys = [
        Patch(facecolor=colour[label], label=f"{label} wins") for label in labels if label in won
    ]
    row.named([*keys, Patch(label="undecided", **_UNDECIDED)])
    told = "Lead over the second in points ± half a 95 % interval, paired by seed,"
    return figure, f"{told} {span(table['seeds'])} seeds."


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
