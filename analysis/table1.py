"""Accuracy of every method by task, parameters updated and bits sent: Table I of arXiv 2602.20492.

python analysis/table1.py runs/table1 --out analysis/results/table1

SWEEP is a grid of methods and seeds, such as scenarios/paper/table1.sweep.yaml. Reads its traces
and writes OUT.csv and OUT.png. Accuracy is of the last checkpoint, mean over devices; intervals
are 95 %, Student's t over seeds, those of differences over the differences of each seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import look
import numpy as np
import pandas as pd
from intervals import over_seeds, paired
from matplotlib.colors import LinearSegmentedColormap
from measures import accuracy_by_task, projection_values, traffic, updated_parameters
from sweeps import Sweep, command, explained, read_sweep, write_table

AVERAGE = "average"
_SHADES = LinearSegmentedColormap.from_list("accuracy", ["#FFFFFF", "#9CC9E8"])
_COSTS = {
    "updated": ("updated\n(10⁶ values)", 1e-6),
    "update_mbit": ("update\n(Mbit)", 1.0),
    "gbit": ("on the air\n(Gbit)", 1.0),
}


def scores(sweep: Sweep) -> pd.DataFrame:
    """A row a run and task, and one for the average over tasks: label, seed, task, accuracy."""
    rows = []
    for label, seed, run in sweep.runs:
        by_task = accuracy_by_task(run)
        for task, value in [*by_task.items(), (AVERAGE, by_task.mean())]:
            told = {"label": label, "seed": seed, "task": task, "accuracy": value}
            rows.append(told)
    return pd.DataFrame(rows)


def costs(sweep: Sweep) -> pd.DataFrame:
    """A row a run: label, seed, parameters updated and bits sent, as its tables say."""
    projection = projection_values([one.run for one in sweep.runs])
    rows = []
    for label, seed, run in sweep.runs:
        updated = updated_parameters(run, projection)
        rows.append({"label": label, "seed": seed, "updated": updated, **traffic(run)})
    return pd.DataFrame(rows).astype({"updated": float})


def table_of(sweep: Sweep, reference: str) -> pd.DataFrame:
    """A row a method: each task and the average with half-widths, the gain, what it cost."""
    sweep.refuse_unknown(reference, "--reference")
    found, spent = scores(sweep), costs(sweep)
    table = pd.DataFrame(index=pd.Index(sweep.labels, name="method"))
    means = over_seeds(found, ["label", "task"], "accuracy").set_index(["label", "task"])
    for task in dict.fromkeys(found["task"]):
        own = means.xs(task, level="task")
        table[task], table[f"{task}_half"] = own["accuracy"], own["accuracy_half"]
    average = found[found["task"] == AVERAGE]
    gains = paired(average, reference, "accuracy").set_index("label")
    table[["gain", "gain_half", "pairs"]] = gains[["gain", "gain_half", "pairs"]]
    table["gain_relative"] = table["gain"] / (table[AVERAGE] - table["gain"])
    cost = spent.groupby("label", sort=False).mean(numeric_only=True).drop(columns="seed")
    table[cost.columns] = cost
    for column in ("updated", "update_mbit", "device_round_mbit"):
        base = table.loc[reference, column]
        table[f"{column}_saved"] = 1 - table[column] / (base if base else np.nan)
    table["seeds"] = average.groupby("label", sort=False)["seed"].nunique()
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table.index]
    return table.reset_index()


def draw(table: pd.DataFrame, tasks: Sequence[str], reference: str) -> Any:
    """Accuracies as cells, the paired gain as dots, what it cost as numbers."""
    lines = len(table)
    figure, grid = look.panels(
        1, 3, 1.5 + 0.34 * lines, sharey=True, width_ratios=[0.52 * len(tasks), 1.5, 1.9]
    )
    cells, gains, numbers = grid[0]
    _cells(cells, table, tasks)
    style = look.styles(list(table["method"]))
    for at, row in enumerate(table.itertuples()):
        if row.method == reference:
            continue
        shape = {"color": style[row.method].color, "marker": style[row.method].marker}
        gains.errorbar(100 * row.gain, at, xerr=100 * row.gain_half, capsize=2.5, **shape)
    gains.axvline(0, color="0.4", linewidth=1)
    gains.set_xlabel(f"average, less {reference}'s\n(points, 95 %, paired)")
    gains.grid(axis="y", visible=False)
    numbers.set_xlim(-0.5, len(_COSTS) - 0.5)
    for at, (column, (_, factor)) in enumerate(_COSTS.items()):
        for line, value in enumerate(table[column]):
            shown = "–" if np.isnan(value) else f"{value * factor:.3g}"
            numbers.text(at, line, shown, ha="center", va="center")
    numbers.set_xticks(range(len(_COSTS)), [title for title, _ in _COSTS.values()], fontsize=7.5)
    numbers.grid(visible=False)
    for panel in (cells, numbers):
        panel.xaxis.tick_top()
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    for panel in (gains, numbers):
        panel.tick_params(axis="y", length=0)
    return figure


def _cells(panel: Any, table: pd.DataFrame, tasks: Sequence[str]) -> None:
    values = 100 * table[list(tasks)].to_numpy()
    spread = np.ptp(values, axis=0)
    shades = (values - values.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    panel.imshow(shades, cmap=_SHADES, aspect="auto", vmin=0, vmax=1)
    best = values == values.max(axis=0)
    for line, column in np.ndindex(values.shape):
        panel.text(
            column,
            line,
            f"{values[line, column]:.1f}",
            ha="center",
            va="center",
            fontweight="bold" if best[line, column] else "normal",
        )
    panel.axvline(len(tasks) - 1.5, color="0.4", linewidth=1)
    panel.set_xticks(range(len(tasks)), [task.replace("_", "\n") for task in tasks], fontsize=7.5)
    panel.set_yticks(range(len(table)), [look.wrapped(label) for label in table["method"]])
    panel.set_xlabel("accuracy (%); bold: the best")
    panel.grid(visible=False)


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument("--reference", default="lora", help="what gains are measured against")
    arguments = parser.parse_args(argv)
    with explained(parser):
        sweep = read_sweep(arguments.sweep, allow_missing=arguments.allow_missing)
        table = table_of(sweep, arguments.reference)
        write_table(table, arguments.out)
        tasks = [name[: -len("_half")] for name in table.columns if name.endswith("_half")]
        tasks.remove("gain")
        look.save(draw(table, tasks, arguments.reference), arguments.out, sweep.note)


if __name__ == "__main__":
    main()
