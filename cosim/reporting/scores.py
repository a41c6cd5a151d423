"""Accuracy by device and task."""

from __future__ import annotations

import pandas as pd

from cosim.reporting.markup import Markup, table, tag
from cosim.reporting.quantity import accuracy_text, exact
from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS

# With more devices than this a row each is told as quartiles instead.
_MOST_ROWS = 40


def last_scores(run: Run) -> pd.DataFrame:
    """A row a device, a column a task: the accuracy at the device's last evaluation on it."""
    scores = run.evaluations
    headline = scores[scores["metric"].isin(HEADLINE_METRICS)].sort_values("round", kind="stable")
    return headline.groupby(["device", "task"])["value"].last().unstack()


def scores_section(run: Run) -> Markup | None:
    """A heat map of the last accuracies; None where nothing was scored."""
    scores = last_scores(run)
    if scores.empty:
        return None
    own = dict(zip(run.devices["device"], run.devices["task"], strict=True))
    if len(scores) <= _MOST_ROWS:
        rows = [
            [f"device {device}", *(_cell(row[task], own.get(device) == task) for task in scores)]
            for device, row in scores.iterrows()
        ]
        note = "At each device's last evaluation; framed: the task that it trains on."
    else:
        quartiles = scores.quantile([0.0, 0.25, 0.5, 0.75, 1.0])
        names = ("lowest", "first quartile", "median", "third quartile", "highest")
        rows = [
            [name, *(_cell(row[task], False) for task in scores)]
            for name, (_, row) in zip(names, quartiles.iterrows(), strict=True)
        ]
        note = f"Over {len(scores)} devices, at each one's last evaluation."
    return tag(
        "section",
        tag("h2", "Accuracy by device and task"),
        table(("", *map(str, scores.columns)), rows, class_="heat"),
        tag("p", note, class_="note"),
    )


def _cell(value: float, own: bool) -> Markup:
    style = None if pd.isna(value) else f"--v:{60 * min(max(value, 0.0), 1.0):.0f}%"
    classes = "cell own" if own else "cell"
    return tag("span", exact(value, accuracy_text(value)), class_=classes, style=style)
