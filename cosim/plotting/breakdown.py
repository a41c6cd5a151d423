"""Where the time and the energy of a round go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.comparison.estimate import estimate
from cosim.comparison.groups import Comparison
from cosim.errors import ViewError
from cosim.plotting.drawing import Drawing
from cosim.plotting.request import Request
from cosim.plotting.style import PanelRow, foot, prefixed, sheet
from cosim.plotting.wording import over_seeds, warning
from cosim.views.palette import PHASE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Column of `rounds` → its name, colour and hatch, which tells bars apart in grey.
_TIME = {
    "compute_s": ("computing", PHASE["compute"], ""),
    "send_s": ("sending", PHASE["send"], "////"),
    "wait_s": ("waiting", PHASE["wait"], ""),
    "off_s": ("off", "#FFFFFF", "xxxx"),
}
_ENERGY = {
    "energy_compute_j": ("computing", "#0072B2", ""),
    "energy_tx_j": ("sending", "#E69F00", "////"),
    "energy_rx_j": ("receiving", "#009E73", "...."),
    "energy_idle_j": ("idle", "#DDDDDD", ""),
}
_PARTS = {"time of a device's round": ("s", _TIME), "its energy": ("J", _ENERGY)}
_LINE_IN, _REST_IN = 0.32, 1.2


def rounds(comparison: Comparison, request: Request) -> Drawing:
    """Seconds and joules of a device's round by what they went to: mean over devices and rounds of
    a run, then over seeds."""
    rows: list[dict[str, Any]] = []
    notes = list(comparison.notes)
    for group in comparison.groups:
        runs = list(group.runs.values())
        if any(run.rounds.empty for run in runs):
            notes.append(f"not drawn, no round: {group.label}")
            continue
        for unit, columns in _PARTS.values():
            means = [run.rounds[list(columns)].mean() for run in runs]
            total = [float(one.sum()) for one in means]
            parts = {name: [float(one[name]) for one in means] for name in columns}
            for name, values in {**parts, f"total_{unit.lower()}": total}.items():
                found = estimate(values)
                assert found is not None
                rows.append({"label": group.label, "part": name, **found.numbers(0.0)})
    if not rows:
        raise ViewError("These runs have no round to draw: none ended.")
    table = pd.DataFrame(rows)
    drawn = [group for group in comparison.groups if group.label in set(table["label"])]
    several = any(len(group.runs) > 1 for group in drawn)
    bar = "; the bar at the end is the interval of the total" if several else ""
    words = f"Mean over devices and rounds{bar}. {over_seeds(drawn)}"
    return Drawing(table, lambda: _paint(table, words, warning(notes)), notes)


def _paint(table: pd.DataFrame, words: str, missing: str) -> Figure:
    labels = list(dict.fromkeys(table["label"]))
    heights = [_REST_IN + _LINE_IN * len(labels)]
    figure, (row,) = sheet(heights, len(_PARTS), sharey=True)
    for (title, (unit, columns)), panel in zip(_PARTS.items(), row.panels, strict=True):
        _bars(panel, table, labels, title, unit, columns)
    row.panels[0].set_yticks(range(len(labels)), labels)
    row.panels[0].set_ylim(len(labels) - 0.5, -0.5)
    _names(row)
    foot(figure, words, missing)
    return figure


def _bars(
    panel: Axes,
    table: pd.DataFrame,
    labels: Sequence[str],
    title: str,
    unit: str,
    columns: dict[str, tuple[str, str, str]],
) -> None:
    own = table.set_index(["part", "label"])
    total = own.loc[f"total_{unit.lower()}"].loc[list(labels)]
    factor, shown = prefixed(total["mean"], unit)
    left = [0.0] * len(labels)
    for name, (word, colour, hatch) in columns.items():
        widths = [factor * float(own.loc[(name, label), "mean"]) for label in labels]
        if not any(widths):
            continue
        panel.barh(
            range(len(labels)), widths, left=left, height=0.66, label=word, color=colour,
            hatch=hatch, edgecolor="#222222", linewidth=0.5,
        )  # fmt: skip
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for place, label in enumerate(labels):
        low, high = total.loc[label, ["low", "high"]]
        if pd.notna(low) and pd.notna(high):
            mean = float(total.loc[label, "mean"])
            reach = [[factor * (mean - low)], [factor * (high - mean)]]
            panel.errorbar(
                [factor * mean], [place], xerr=reach, color="#222222", elinewidth=1.0, capsize=2.5
            )
    panel.set_xlim(left=0.0)
    panel.grid(axis="y", visible=False)
    panel.set_xlabel(f"{title} ({shown})")


def _names(row: PanelRow) -> None:
    for panel in row.panels:
        if not panel.get_legend_handles_labels()[0]:
            continue
        panel.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False,
            columnspacing=1.0, handlelength=1.6, borderaxespad=0.2,
        )  # fmt: skip
