"""Every task learnt alone, without a network: Table II of arXiv 2602.20492.

python analysis/table2.py runs/table2 --out analysis/results/table2

SWEEP is a grid of methods without exchange and seeds, such as scenarios/paper/table2.sweep.yaml.
Reads its traces and writes OUT.csv and OUT.png. A device is asked its own task alone; intervals
are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from intervals import over_how_many, over_seeds
from measures import own_accuracy_by_task, projection_values, updated_parameters
from sweeps import Drawn, Sweep, command, play

from cosim.errors import SweepError
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.style import chunks, sheet

AVERAGE = "average"


def scores(sweep: Sweep) -> pd.DataFrame:
    """A row a run and task, and one for the average: label, seed, task, accuracy."""
    rows = []
    for label, seed, run in sweep.runs:
        if not run.transfers.empty:
            raise SweepError(f"{run.directory}: devices exchange; Table II is about each alone")
        by_task = own_accuracy_by_task(run)
        for task, value in [*by_task.items(), (AVERAGE, by_task.mean())]:
            told = {"label": label, "seed": seed, "task": task, "accuracy": value}
            rows.append(told)
    return pd.DataFrame(rows)


def table_of(sweep: Sweep, projection: float | None) -> pd.DataFrame:
    """A row a method: each task and the average with half-widths, and parameters updated."""
    means = over_seeds(scores(sweep), ["label", "task"], "accuracy")
    table = pd.DataFrame(index=pd.Index(sweep.labels, name="method"))
    for task, own in means.groupby("task", sort=False):
        by_label = own.set_index("label")
        table[task], table[f"{task}_half"] = by_label["accuracy"], by_label["accuracy_half"]
    updated = [updated_parameters(one.run, projection) for one in sweep.runs]
    each = pd.Series(updated, index=[one.label for one in sweep.runs], dtype=float)
    table["updated"] = each.groupby(level=0, sort=False).mean()
    table["seeds"] = means.groupby("label", sort=False)["seeds"].max()
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table.index]
    return table.reset_index()


def draw(table: pd.DataFrame, tasks: Sequence[str]) -> Drawn:
    """A group of marks a task; at most six methods a row of panels."""
    parts = chunks(list(table["method"]))
    figure, rows = sheet([2.9] * len(parts), 1)
    by_method = table.set_index("method")
    for styles, row in zip(parts, rows, strict=True):
        (panel,) = row.panels
        for place, (label, style) in enumerate(styles.items()):
            own = by_method.loc[label]
            mean = np.array([own[task] for task in tasks], dtype=float)
            half = np.array([own[f"{task}_half"] for task in tasks], dtype=float)
            low, high = np.maximum(mean - half, 0.0), np.minimum(mean + half, 1.0)
            unjoined = style._replace(linestyle="")
            at, beside = list(range(len(tasks))), 2 * aside_pt(place, len(styles))
            draw_marks(panel, at, 100 * mean, 100 * low, 100 * high, unjoined, beside)
        panel.set_xticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
        panel.set_xlim(-0.5, len(tasks) - 0.5)
        panel.axvline(len(tasks) - 1.5, color="0.6", linewidth=1)
        panel.set_ylabel("accuracy on the own task (%)")
        panel.grid(axis="x", visible=False)
        row.legend({label: style._replace(linestyle="") for label, style in styles.items()})
    return figure, over_how_many(table["seeds"])


def tasks_of(table: pd.DataFrame) -> list[str]:
    """The columns that hold accuracies, the average last."""
    return [name[: -len("_half")] for name in table.columns if name.endswith("_half")]


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument(
        "--projection", type=float, metavar="N", help="values of A, which are not sent here"
    )

    def table(sweep: Sweep, given: Any) -> pd.DataFrame:
        known = given.projection or projection_values([one.run for one in sweep.runs])
        return table_of(sweep, known)

    play(parser, argv, table, lambda table, _: draw(table, tasks_of(table)))


if __name__ == "__main__":
    main()
