"""What budgets bought and a target cost, as a table that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.comparison.budgets import Budget, read_budgets
from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.comparison.table import Table, bounds_of, tables
from cosim.errors import UsageError
from cosim.plotting.drawing import Drawing
from cosim.plotting.request import Request
from cosim.plotting.scored import scored
from cosim.plotting.style import foot, sheet
from cosim.plotting.wording import over_seeds, questions, warning
from cosim.scenario.reading.one_line import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE_IN, _REST_IN = 0.24, 0.32
_WIDEST = 46
_LONGEST = 160


def budgets(comparison: Comparison, request: Request) -> Drawing:
    """The accuracy at each budget, and what it cost to reach a target; a row a group.

    Bold is what is better than every other row, with no interval of these differences around 0.
    """
    if request.budget is None and request.target is None:
        raise UsageError("budgets: say which, with --budget 20s,100J,50Mbit, --target 0.6 or both")
    given = [] if request.budget is None else read_budgets(request.budget)
    groups, notes = scored(comparison)
    chosen = [
        measure
        for measure in comparison.measures
        if measure.name.startswith(("accuracy_at_", "to_target_"))
    ]
    rows = [
        {"label": group.label, "figure": measure.name, **numbers}
        for group in groups
        for measure in chosen
        if (numbers := _numbers(group.estimate(measure.name), bounds_of(measure)))
    ]
    table = pd.DataFrame(rows, columns=["label", "figure", "mean", "low", "high", "n"])
    shown = tables(replace(comparison, groups=groups, measures=chosen))[0]
    notes = [*comparison.notes, *notes]
    gaps = any(cell.text == "–" for row in shown.rows for cell in row)
    some = any(0 < one.reaching(own.name) < len(one.runs) for one in groups for own in chosen)
    told = (
        over_seeds(groups),
        questions(groups),
        "" if request.target is None else _reached(request.target, groups),
        "k of n: so many runs came so far, and a mean would be of those alone." if some else "",
        "–: no run came so far." if gaps else "",
        *(_ended(budget, groups) for budget in given),
    )
    words = " ".join(filter(None, told))
    return Drawing(table, lambda: _paint(shown, words, warning(notes)), notes)


def _reached(target: float, groups: Sequence[Group]) -> str:
    """In how many runs a target was reached: in none, there is no column of it."""
    having = sum(group.reaching("to_target_s") for group in groups)
    count = sum(len(group.runs) for group in groups)
    share = "every run" if having == count else f"{having} of {count} runs"
    return f"Accuracy {target:g} was reached in {share if having else 'no run'}."


def _ended(budget: Budget, groups: Sequence[Group]) -> str:
    """Who had not spent a budget at its end: what it would have made of the rest is not known."""
    less = [
        group.label
        for group in groups
        if any(one.spent[budget.column] < budget.most for one in group.figures.values())
    ]
    who = "every method" if len(less) == len(groups) else shorten(", ".join(less), _LONGEST)
    return f"Some runs ended before {budget.word} were spent, of {who}." if less else ""


def _numbers(found: Any, bounds: tuple[float, float]) -> dict[str, Any]:
    return {} if found is None else found.numbers(*bounds)


def _paint(table: Table, words: str, missing: str) -> Figure:
    heights = [_REST_IN + _LINE_IN * (len(table.rows) + 1)]
    figure, (row,) = sheet(heights, 1)
    (panel,) = row.panels
    panel.set_axis_off()
    widths = _widths(table)
    panel.set_xlim(0.0, max(sum(widths), _WIDEST))
    panel.set_ylim(len(table.rows) + 0.1, -1.1)
    rights = [sum(widths[: k + 1]) for k in range(len(widths))]
    cells = [[(head, False) for head in table.heads], *table.rows]
    for line, texts in enumerate(cells, start=-1):
        for column, (text, bold) in enumerate(texts):
            first = column == 0
            panel.text(
                0.0 if first else rights[column], line + 0.5, text, ha="left" if first else "right",
                va="center", fontweight="bold" if bold else "normal", parse_math=False,
            )  # fmt: skip
    for line in (-1, 0, len(table.rows)):
        panel.plot([0.0, rights[-1]], [line, line], color="#222222", linewidth=0.8)
    foot(figure, words, missing)
    return figure


def _widths(table: Table) -> Sequence[float]:
    """Of the columns, in letters."""
    columns = zip(table.heads, *([cell.text for cell in row] for row in table.rows), strict=True)
    return [max(map(len, column)) + 2.8 for column in columns]
