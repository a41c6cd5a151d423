"""Accuracy of every method by task, parameters updated and bits sent: Table I of arXiv 2602.20492.

python analysis/table1.py runs/table1 --out analysis/results/table1

SWEEP is a grid of methods and seeds, such as scenarios/paper/table1.sweep.yaml. Reads its traces
and writes OUT.csv and OUT.png. Accuracy is of the last checkpoint, mean over devices; intervals
are 95 %, Student's t over seeds, those of differences over the differences of each seed. A task of
which fewer than 20 questions a seed were asked is grey. Methods whose data lies in one place stand
under a rule: it got there for free, so that their bits say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from intervals import over_how_many, over_seeds, paired
from matplotlib.colors import LinearSegmentedColormap
from measures import (
    accuracy_by_task,
    projection_values,
    questions_by_task,
    scenario_of,
    traffic,
    updated_parameters,
)
from sweeps import Drawn, Sweep, command, play

from cosim.plotting.style import STYLES, sheet

AVERAGE = "average"
_SHADES = LinearSegmentedColormap.from_list("accuracy", ["#FFFFFF", "#9CC9E8"])
_FEW = 20  # questions a seed, below which a share of right answers says little
_COSTS = {
    "updated": ("updated\n(millions)", 1e-6),
    "update_mbit": ("update\n(Mbit)", 1.0),
    "gbit": ("on the air\n(Gbit)", 1.0),
}


def scores(sweep: Sweep) -> pd.DataFrame:
    """A row a run and task, and one for the average over tasks: label, seed, task, accuracy."""
    rows = []
    for label, seed, run in sweep.runs:
        by_task, asked = accuracy_by_task(run), questions_by_task(run)
        for task, value in [*by_task.items(), (AVERAGE, by_task.mean())]:
            n = asked.get(task, asked.sum())
            told = {"label": label, "seed": seed, "task": task, "accuracy": value, "n": n}
            rows.append(told)
    return pd.DataFrame(rows)


def costs(sweep: Sweep) -> pd.DataFrame:
    """A row a run: label, seed, parameters updated and bits sent, as its tables say."""
    projection = projection_values([one.run for one in sweep.runs])
    rows = []
    for label, seed, run in sweep.runs:
        updated = updated_parameters(run, projection)
        bound = scenario_of(run)["method"].get("data", "own") != "own"
        told = {"label": label, "seed": seed, "bound": bound, "updated": updated}
        rows.append({**told, **traffic(run)})
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
    asked = found[found["task"] != AVERAGE].groupby("task", sort=False)["n"].mean()
    for task, n in asked.items():
        table[f"{task}_n"] = n
    average = found[found["task"] == AVERAGE]
    gains = paired(average, reference, "accuracy").set_index("label")
    table[["gain", "gain_half", "pairs"]] = gains[["gain", "gain_half", "pairs"]]
    table["gain_relative"] = table["gain"] / (table[AVERAGE] - table["gain"])
    cost = spent.groupby("label", sort=False).mean(numeric_only=True).drop(columns="seed")
    table["bound"] = cost.pop("bound").astype(bool)
    table[cost.columns] = cost
    for column in ("updated", "update_mbit", "device_round_mbit"):
        base = table.loc[reference, column]
        table[f"{column}_saved"] = 1 - table[column] / (base if base else np.nan)
    table["seeds"] = average.groupby("label", sort=False)["seed"].nunique()
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table.index]
    return table.reset_index()


def draw(table: pd.DataFrame, reference: str) -> Drawn:
    """Accuracies as cells, the paired gain as dots, what it cost as numbers; bounds come last."""
    table = table.sort_values("bound", kind="stable", ignore_index=True)
    tasks = [name[: -len("_n")] for name in table.columns if name.endswith("_n")]
    lines = len(table)
    widths = [0.62 * (len(tasks) + 1), 1.5, 1.9]
    figure, (row,) = sheet([1.1 + 0.42 * lines], 3, sharey=True, width_ratios=widths)
    cells, gains, numbers = row.panels
    _cells(cells, table, tasks)
    others = table[table["method"] != reference]
    gains.errorbar(
        100 * others["gain"],
        others.index,
        xerr=100 * others["gain_half"].fillna(0.0),
        color=STYLES[1].color,
        marker=STYLES[1].marker,
        linestyle="",
        markersize=4.5,
        elinewidth=0.9,
        capsize=2.2,
    )
    gains.axvline(0, color="0.45", linewidth=0.8, zorder=1)
    gains.set_xlabel(f"average, difference to\n{reference} (points)")
    gains.margins(x=0.1)
    gains.grid(axis="y", visible=False)
    numbers.set_xlim(-0.5, len(_COSTS) - 0.5)
    for at, (column, (_, factor)) in enumerate(_COSTS.items()):
        for line, (value, bound) in enumerate(zip(table[column], table["bound"], strict=True)):
            free = bound and column != "updated"
            shown = "–" if free or np.isnan(value) else f"{value * factor:.3g}"
            numbers.text(at, line, shown, ha="center", va="center", fontsize=8)
    numbers.set_xticks(range(len(_COSTS)), [title for title, _ in _COSTS.values()])
    numbers.grid(visible=False)
    for panel in (cells, numbers):
        panel.xaxis.tick_top()
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0, labelsize=7)
    for panel in (gains, numbers):
        panel.tick_params(axis="y", length=0)
    words = [f"{over_how_many(table['seeds'])} Differences are paired by seed."]
    words.append(f"n: questions a seed and device, grey below {_FEW}.")
    if 0 < table["bound"].sum() < lines:
        for panel in row.panels:
            panel.axhline(lines - table["bound"].sum() - 0.5, color="0.2", linewidth=1.2)
        words.append("Under the rule: bounds, whose data moves for free.")
    return figure, " ".join(words)


def _cells(panel: Any, table: pd.DataFrame, tasks: Sequence[str]) -> None:
    columns = [*tasks, AVERAGE]
    values = 100 * table[columns].to_numpy(dtype=float)
    halves = 100 * table[[f"{name}_half" for name in columns]].to_numpy(dtype=float)
    asked = [float(table[f"{task}_n"].mean()) for task in tasks]
    few = np.array([*(n < _FEW for n in asked), False])
    spread = np.ptp(values, axis=0)
    shades = (values - values.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    panel.imshow(np.where(few, 0.0, shades), cmap=_SHADES, aspect="auto", vmin=0, vmax=1)
    for line, column in np.ndindex(values.shape):
        colour = "0.6" if few[column] else "black"
        words = f"{values[line, column]:.1f}{_within(values[line, column], halves[line, column])}"
        panel.text(column, line, words, ha="center", va="center", fontsize=6.5, color=colour)
    panel.axvline(len(tasks) - 0.5, color="0.4", linewidth=1)
    heads = [
        "\n".join([*task.split("_"), f"n = {n:.0f}"]) for task, n in zip(tasks, asked, strict=True)
    ]
    panel.set_xticks(range(len(columns)), [*heads, AVERAGE])
    panel.set_yticks(range(len(table)), [_on_two_lines(label) for label in table["method"]])
    panel.set_xlabel("accuracy (%), and the ends of its interval")
    panel.grid(visible=False)


def _within(mean: float, half: float) -> str:
    """The ends of an interval of a rate, on a line of their own."""
    if np.isnan(half):
        return ""
    return f"\n{max(mean - half, 0.0):.0f}–{min(mean + half, 100.0):.0f}"


def _on_two_lines(label: str) -> str:
    head, joint, tail = label.partition(" " if " " in label else "_")
    return f"{head}{joint}\n{tail}" if len(label) > 14 and tail else label


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument("--reference", default="lora", help="what gains are measured against")
    play(
        parser,
        argv,
        lambda sweep, given: table_of(sweep, given.reference),
        lambda table, given: draw(table, given.reference),
    )


if __name__ == "__main__":
    main()
