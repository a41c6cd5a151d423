"""Methods under each other: a mark and an interval each, and the difference to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cosim.comparison.measures import Measure
from cosim.comparison.table import bounds_of
from cosim.plotting.style import STYLES, difference_to, foot, lengths, limits, sheet
from cosim.plotting.wording import on_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE_IN, _REST_IN = 0.27, 0.75


def paint_side_by_side(
    table: pd.DataFrame, measure: Measure, against: str | None, words: str, missing: str
) -> Figure:
    """A line a label, with the measure on the left and the difference on the right."""
    shown = [(measure.name, "low", "high")]
    if against is not None:
        shown.append(("difference", "difference_low", "difference_high"))
    heights = [_REST_IN + _LINE_IN * len(table)]
    figure, (row,) = sheet(heights, len(shown), sharey=True)
    for (column, low, high), panel in zip(shown, row.panels, strict=True):
        difference = column == "difference"
        own = table[table[column].notna()]
        style = STYLES[1 if difference else 0]
        ends = [own[end].astype(float).fillna(own[column]) for end in (low, high)]
        panel.errorbar(
            own[column].astype(float),
            own.index.to_numpy(),
            xerr=lengths(own[column].tolist(), *(end.tolist() for end in ends)),
            color=style.color,
            marker=style.marker,
            linestyle="",
            markersize=4.5,
            elinewidth=0.9,
            capsize=2.2,
        )
        if len(own):
            bounds = bounds_of(measure, difference=difference)
            panel.set_xlim(*limits(ends[0], ends[1], *bounds))
        title = on_axis(measure)
        panel.set_xlabel(difference_to(title, str(against)) if difference else title)
        if difference:
            panel.tick_params(axis="y", length=0)
            panel.axvline(0.0, color="0.45", linewidth=0.8, zorder=1)
    row.panels[0].set_yticks(range(len(table)), table["label"])
    row.panels[0].set_ylim(len(table) - 0.5, -0.5)
    foot(figure, words, missing)
    return figure
