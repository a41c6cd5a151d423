"""Accuracy against seconds, joules and bits: what was measured, for the chart that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cosim.comparison.figures import evaluated_rounds
from cosim.reporting.markup import Markup, tag
from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS

AXES = (("s", "simulated seconds"), ("j", "joules"), ("mbit", "megabits on the air"))


def course(run: Run, label: str, name: str, group: int) -> dict[str, Any]:
    """A run's measured points: round, s, J, Mbit, accuracy; and the accuracy of each task.

    label: what the run is called. name, group: its group in a comparison, which has a colour.
    """
    points = evaluated_rounds(run)
    by_task = accuracy_by_task(run)
    return {
        "label": label,
        "name": name,
        "group": group,
        "round": [int(number) for number in points["round"]],
        "s": [float(value) for value in points["time_s"]],
        "j": [float(value) for value in points["energy_j"]],
        "mbit": [float(value) for value in points["mbit"]],
        "accuracy": [float(value) for value in points["accuracy"]],
        "tasks": {
            str(task): [None if pd.isna(value) else float(value) for value in column]
            for task, column in by_task.items()
        },
    }


def accuracy_by_task(run: Run) -> pd.DataFrame:
    """A row a scored round, a column a task: the mean over devices."""
    scores = run.evaluations
    headline = scores[scores["metric"].isin(HEADLINE_METRICS)]
    return headline.groupby(["round", "task"])["value"].mean().unstack()


def student_t(most: int) -> list[float | None]:
    """The factor of a standard error in half of a 95 % interval, by the number of seeds up to
    `most`: none for less than two."""
    from scipy.stats import t

    return [None, None, *(float(t.ppf(0.975, n - 1)) for n in range(2, most + 1))][: most + 1]


def course_section(courses: Sequence[dict[str, Any]]) -> Markup | None:
    """The place of the chart with its switch and sliders; None where nothing was scored."""
    if not any(one["round"] for one in courses):
        return None
    several = ""
    if len(courses) > 1:
        several = (
            ", and over seeds where runs differ in nothing else, with 95 % intervals (Student's "
            "t), of the rounds in which all of them were scored, at their mean cost"
        )
    switch = [
        tag(
            "label",
            tag("input", type="radio", name="axis", value=key, checked=key == "s"),
            f" {words}",
        )
        for key, words in AXES
    ]
    return tag(
        "section",
        tag("h2", "What accuracy cost"),
        tag("fieldset", tag("legend", "against"), switch, class_="switch"),
        tag("div", class_="chart", id="course-chart"),
        tag("div", class_="legend", id="course-legend"),
        tag(
            "div",
            _asked("budget", "What was reached by"),
            _asked("target", "What it cost to reach"),
            class_="asked",
        ),
        tag(
            "p",
            f"Markers are measurements: the mean over tasks of the mean over devices{several}. "
            "Between them nothing was measured; the line keeps the last one.",
            class_="note",
        ),
        id="course",
    )


def _asked(name: str, words: str) -> Markup:
    """A slider with its number, and the place of the answer."""
    return tag(
        "div",
        tag("label", words, " ", tag("input", type="number", id=f"{name}-number", min=0)),
        tag("span", class_="unit", id=f"{name}-unit"),
        tag("input", type="range", id=f"{name}-slider", aria_label=words),
        tag("div", class_="answer", id=f"{name}-answer", aria_live="polite"),
    )
