"""Accuracy over what it had cost when it was measured: seconds, joules, bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.comparison.estimate import estimate
from cosim.comparison.figures import evaluated_rounds
from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.plotting.drawing import Drawing
from cosim.plotting.request import Request
from cosim.plotting.scored import scored
from cosim.plotting.style import Style, chunks, foot, lengths, limits, prefixed, sheet, wide
from cosim.plotting.wording import over_seeds, questions, warning
from cosim.scenario.reading.one_line import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Column of `evaluated_rounds` → what it is, its unit, and how many of the unit one number is.
_COSTS = {
    "time_s": ("simulated time", "s", 1.0),
    "energy_j": ("energy of all devices", "J", 1.0),
    "mbit": ("bits on the air", "bit", 1e6),
}
_ROW_IN = 2.75
# Of the median curve's end: what is less is of no account on an axis.
_NEGLIGIBLE = 1e-3


def course(comparison: Comparison, request: Request) -> Drawing:
    """The accuracy of every evaluation, mean over seeds, over its mean costs.

    Evaluations that not every seed of a group has are left out and told of.
    """
    groups, notes = scored(comparison)
    rows: list[dict[str, Any]] = []
    for group in groups:
        own, lost = _points(group)
        rows += own
        if lost:
            notes.append(f"evaluations that not every seed has, left out: {lost} of {group.label}")
    table = pd.DataFrame(rows)
    notes = [*comparison.notes, *notes]
    return Drawing(table, lambda: _paint(table, groups, warning(notes)), notes)


def _points(group: Group) -> tuple[list[dict[str, Any]], int]:
    """A row an evaluation that every seed has, and how many others there are."""
    runs = [evaluated_rounds(run).set_index("round") for run in group.runs.values()]
    every = sorted(set().union(*(run.index for run in runs)))
    common = [number for number in every if all(number in run.index for run in runs)]
    rows = []
    for number in common:
        accuracy = estimate([float(run.loc[number, "accuracy"]) for run in runs])
        assert accuracy is not None
        costs = {
            cost: sum(float(run.loc[number, cost]) for run in runs) / len(runs) for cost in _COSTS
        }
        numbers = accuracy.numbers(0.0, 1.0)
        told = {"label": group.label, "method": group.method, "round": number, **costs}
        rows.append({**told, "accuracy": numbers.pop("mean"), **numbers})
    return rows, len(every) - len(common)


def _paint(table: pd.DataFrame, groups: Sequence[Group], missing: str) -> Figure:
    """A column a cost, a row for every six groups; steps, since an accuracy is known from its
    evaluation on."""
    parts = chunks([group.label for group in groups])
    figure, rows = sheet([_ROW_IN] * len(parts), len(_COSTS), sharey=True)
    low = table["low"].fillna(table["accuracy"])
    high = table["high"].fillna(table["accuracy"])
    ends = limits(low, high, 0.0, 1.0)
    for styles, row in zip(parts, rows, strict=True):
        for (cost, told), panel in zip(_COSTS.items(), row.panels, strict=True):
            _panel(panel, table, styles, cost, *told)
        row.panels[0].set_ylabel("accuracy, devices × tasks")
        row.panels[0].set_ylim(*ends)
        row.legend(styles)
    words = "Marks: evaluations; between them nothing was measured."
    foot(figure, f"{over_seeds(groups)} {questions(groups)} {words}", missing)
    return figure


def _panel(
    panel: Axes,
    table: pd.DataFrame,
    styles: dict[str, Style],
    cost: str,
    name: str,
    unit: str,
    of_unit: float,
) -> None:
    spent = of_unit * table[cost]
    factor, unit = prefixed(spent, unit)
    typical = _typical(spent, table["label"])
    if cost == "mbit" and wide(typical):
        _decades(panel, factor * float(typical.min()), factor * float(spent.max()))
    else:
        panel.set_xlim(*limits([0.0], factor * spent, -math.inf, math.inf))
    for label, style in styles.items():
        own = table[table["label"] == label].sort_values("round")
        accuracy = own["accuracy"].to_numpy()
        panel.errorbar(
            factor * of_unit * own[cost].to_numpy(),
            accuracy,
            yerr=lengths(accuracy, own["low"].to_numpy(), own["high"].to_numpy()),
            drawstyle="steps-post",
            markersize=4,
            # Thicker than the risers of the steps, which stand beside them.
            elinewidth=1.3,
            linewidth=0.6,
            capsize=2,
            **style._asdict(),
        )
    panel.set_xlabel(f"{name} ({unit})")


def _typical(spent: pd.Series, labels: pd.Series) -> pd.Series:
    """The costs but for those far below what a curve ends with, such as the few bits that one
    method tells before its first update: an axis that has room for them has little for the rest."""
    finals = spent.groupby(labels).max()
    return spent[(spent > 0) & (spent >= _NEGLIGIBLE * finals.median())]


def _decades(panel: Axes, least: float, most: float) -> None:
    """A logarithmic axis from the least cost on, and linear from 0, where all runs begin."""
    from matplotlib.ticker import FixedLocator, NullLocator

    first = 10.0 ** math.floor(math.log10(least))
    panel.set_xscale("symlog", linthresh=first, linscale=0.5)
    powers = range(round(math.log10(first)), math.floor(math.log10(most)) + 1)
    ticks = [0.0, *(10.0**power for power in powers)]
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xticklabels([number_text(tick) for tick in ticks])
    panel.set_xlim(-0.15 * first, 1.6 * most)
