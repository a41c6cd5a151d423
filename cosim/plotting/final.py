"""What runs ended with, by method or over a key of the scenario, and differences paired by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.comparison.measures import Measure, measures
from cosim.comparison.table import bounds_of
from cosim.errors import UsageError, ViewError
from cosim.plotting.axis import Axis, axis_over
from cosim.plotting.drawing import Drawing
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.request import Request
from cosim.plotting.scored import scored
from cosim.plotting.side_by_side import paint_side_by_side
from cosim.plotting.style import Style, chunks, difference_to, foot, limits, sheet
from cosim.plotting.ticks import number_axis
from cosim.plotting.wording import on_axis, over_seeds, questions, warning
from cosim.spelling import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_IN = 2.9
# The measures that are of the network and need no scores.
_UNSCORED = ("energy_j", "simulated_s", "mbit", "missed")


def final(comparison: Comparison, request: Request) -> Drawing:
    """A measure at the end of the runs, mean over seeds, and its differences to one method.

    Raises UsageError for a measure, a key or a method that is not there.
    """
    measure = _measure(request.measure or "accuracy")
    groups, notes = _having(measure, comparison)
    if request.over is None:
        axis, points = None, {(group.label, None): group for group in groups}
    else:
        if request.over in ("method", "method.name"):
            raise UsageError("--over: methods are the curves; without it they stand side by side")
        axis = axis_over(request.over, groups)
        points = axis.points
        notes += axis.notes
    against = None if request.against is None else _curve(request.against, points)
    table = pd.DataFrame(_rows(points, axis, measure, against))
    if against is not None:
        table["pairs"] = table["pairs"].astype("Int64")
    notes = [*comparison.notes, *notes]
    drawn = list(points.values())
    asked = questions(drawn) if measure.name == "accuracy" else ""
    paired = f"Differences to {against} are paired by seed." if against else ""
    words = " ".join(filter(None, (over_seeds(drawn), asked, paired)))

    def paint() -> Figure:
        if axis is None:
            return paint_side_by_side(table, measure, against, words, warning(notes))
        return _paint(table, axis, measure, against, (words, warning(notes)))

    return Drawing(table, paint, notes)


def _measure(name: str) -> Measure:
    known = {measure.name: measure for measure in measures()}
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"--measure: {name!r} is no measure{hint} (one of {', '.join(known)})")
    return known[name]


def _having(measure: Measure, comparison: Comparison) -> tuple[list[Group], list[str]]:
    if measure.name not in _UNSCORED:
        return scored(comparison, f"final draws the rest: --measure {' or '.join(_UNSCORED)}")
    found = [group for group in comparison.groups if group.estimate(measure.name) is not None]
    if not found:
        raise ViewError(f"These runs have no {measure.name} to draw.")
    lacking = [group.label for group in comparison.groups if group not in found]
    return found, [f"not drawn, no {measure.name}: {label}" for label in lacking]


def _curve(name: str, points: dict[tuple[str, Any], Group]) -> str:
    """The label that is meant: itself, or that of the only curve of the method."""
    labels = list(dict.fromkeys(label for label, _ in points))
    if name in labels:
        return name
    own = dict.fromkeys(label for (label, _), group in points.items() if group.method == name)
    if len(own) == 1:
        return next(iter(own))
    if own:
        raise UsageError(f"--against: {name} is several here: {', '.join(own)}")
    hint = did_you_mean(name, labels)
    raise UsageError(
        f"--against: nothing here is called {name!r}{hint} (one of {', '.join(labels)})"
    )


def _rows(
    points: dict[tuple[str, Any], Group], axis: Axis | None, measure: Measure, against: str | None
) -> list[dict[str, Any]]:
    """A row a mark: label, method, value of the axis, mean, low, high, n, difference, pairs."""
    rows = []
    for (label, value), group in points.items():
        row: dict[str, Any] = {"label": label, "method": group.method}
        if axis is not None:
            row[axis.key] = value
        found = group.estimate(measure.name)
        assert found is not None
        numbers = found.numbers(*bounds_of(measure))
        row |= {measure.name: numbers.pop("mean"), **numbers}
        if against is not None:
            row |= _difference(group, points.get((against, value)), measure, label == against)
        rows.append(row)
    return rows


def _difference(
    group: Group, other: Group | None, measure: Measure, itself: bool
) -> dict[str, Any]:
    found = None if other is None or itself else group.difference(other, measure.name)
    numbers = {} if found is None else found.numbers(*bounds_of(measure, difference=True))
    names = {"mean": "difference", "low": "difference_low", "high": "difference_high", "n": "pairs"}
    return {name: numbers.get(key) for key, name in names.items()}


def _paint(
    table: pd.DataFrame, axis: Axis, measure: Measure, against: str | None, told: tuple[str, str]
) -> Figure:
    """The measure on the left, differences on the right; a row for every six curves."""
    parts = chunks(axis.curves)
    shown = [measure.name] if against is None else [measure.name, "difference"]
    figure, rows = sheet([_ROW_IN] * len(parts), len(shown))
    for styles, row in zip(parts, rows, strict=True):
        for column, panel in zip(shown, row.panels, strict=True):
            difference = column == "difference"
            _curves(panel, table, axis, styles, column)
            _ends(panel, table, column, measure)
            title = on_axis(measure)
            panel.set_ylabel(difference_to(title, str(against)) if difference else title)
            if difference:
                panel.axhline(0.0, color="0.45", linewidth=0.8, zorder=1)
        row.legend(styles)
    between = " Lines guide the eye: between the marks nothing was measured."
    joined = between if axis.numeric else " Marks are not joined: the values have no order."
    beside = " Marks side by side belong to one value." if len(axis.curves) > 1 else ""
    foot(figure, told[0] + joined + beside, told[1])
    return figure


def _columns(column: str) -> tuple[str, str]:
    return ("difference_low", "difference_high") if column == "difference" else ("low", "high")


def _ends(panel: Axes, table: pd.DataFrame, column: str, measure: Measure) -> None:
    """All rows of panels have the same ends, and none beyond what the measure may be."""
    means = table[column].dropna()
    low, high = (
        table[end].astype(float).fillna(table[column]).dropna() for end in _columns(column)
    )
    least, most = bounds_of(measure, difference=column == "difference")
    if len(means):
        panel.set_ylim(*limits(low, high, least, most))


def _curves(
    panel: Axes, table: pd.DataFrame, axis: Axis, styles: dict[str, Style], column: str
) -> None:
    for place, (label, style) in enumerate(styles.items()):
        own = table[table["label"] == label].dropna(subset=[column])
        if own.empty:
            continue
        values = own[axis.key].tolist()
        order = sorted(range(len(values)), key=lambda k: axis.values.index(values[k]))
        own = own.iloc[order]
        at = own[axis.key].tolist() if axis.numeric else sorted(map(axis.values.index, values))
        low, high = _columns(column)
        draw_marks(
            panel,
            at,
            own[column].tolist(),
            own[low].tolist(),
            own[high].tolist(),
            style if axis.numeric else style._replace(linestyle=""),
            aside_pt(place, len(styles)),
        )
    _ticks(panel, axis)


def _ticks(panel: Axes, axis: Axis) -> None:
    texts = [axis.text(value) for value in axis.values]
    if axis.numeric:
        number_axis(panel, list(map(float, axis.values)), texts)
    else:
        panel.set_xticks(range(len(texts)), texts)
        panel.set_xlim(-0.5, len(texts) - 0.5)
        panel.grid(axis="x", visible=False)
    panel.set_xlabel(axis.key)
