"""Accuracy against simulated seconds, joules and bits, where it was measured.

python analysis/accuracy_vs_cost.py runs/table1 --out analysis/results/accuracy_vs_cost

SWEEP is a grid of methods and seeds, such as scenarios/paper/table1.sweep.yaml. Reads its traces
and writes OUT.csv and OUT.png. A mark is one evaluation: the mean over seeds of what it had cost
by then and of the accuracy, with a 95 % interval of the accuracy, Student's t over seeds. The
lines only say which marks belong together. A method that sends nothing is a level line over bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import look
import pandas as pd
from intervals import over_seeds
from measures import checkpoints
from sweeps import Sweep, command, play

COSTS = {
    "simulated_s": "simulated time (s)",
    "energy_j": "energy of all devices (J)",
    "gbit": "bits on the air (Gbit)",
}
_LINES_A_ROW = 6


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a method and evaluation: its mean costs and accuracy, half-width, seeds."""
    rows = [checkpoints(run).assign(label=label, seed=seed) for label, seed, run in sweep.runs]
    found = pd.concat(rows, ignore_index=True)
    keys = ["label", "round"]
    table = over_seeds(found, keys, "accuracy")
    costs = found.groupby(keys, sort=False)[list(COSTS)].mean().reset_index()
    table = table.merge(costs, on=keys)
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["label"]]
    return table.rename(columns={"label": "method"})


def draw(table: pd.DataFrame) -> Any:
    """A column a cost; a row for every six methods."""
    labels = list(dict.fromkeys(table["method"]))
    groups = [labels[k : k + _LINES_A_ROW] for k in range(0, len(labels), _LINES_A_ROW)]
    figure, grid = look.panels(len(groups), len(COSTS), 1.2 + 2.6 * len(groups), sharey=True)
    for row, group in enumerate(groups):
        for (cost, name), panel in zip(COSTS.items(), grid[row], strict=True):
            for label, style in look.styles(labels).items():
                if label in group:
                    _draw_method(panel, table[table["method"] == label], cost, style)
            if cost == "gbit" and table.loc[table["round"] > 0, "gbit"].gt(0).any():
                least = table.loc[table["gbit"] > 0, "gbit"].min()
                panel.set_xscale("symlog", linthresh=least)
            panel.set_xlabel(name)
            panel.set_ylim(*look.rate_limits(table["accuracy"], table["accuracy_half"]))
        grid[row, 0].set_ylabel("average accuracy (%)")
        grid[row, 1].legend(
            handles=look.handles(labels, group),
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=3,
            frameon=False,
        )
    seeds = sorted(set(table["seeds"]))
    words = f"mean over {look.listed(seeds)} seeds, 95 % intervals"
    figure.suptitle(words, fontsize=8.5)
    return figure


def _draw_method(panel: Any, own: pd.DataFrame, cost: str, style: look.Style) -> None:
    own = own.sort_values("round")
    mean, half = 100 * own["accuracy"], 100 * own["accuracy_half"].fillna(0)
    if cost == "gbit" and own[cost].eq(0).all():
        panel.axhline(mean.iloc[-1], color=style.color, linestyle=style.linestyle, linewidth=0.9)
        return
    panel.errorbar(
        own[cost],
        mean,
        yerr=look.within_a_rate(mean, half),
        color=style.color,
        marker=style.marker,
        linestyle=style.linestyle,
        markersize=4,
        linewidth=0.7,
        elinewidth=0.8,
        capsize=2,
    )


def main(argv: Sequence[str] | None = None) -> None:
    play(command(__doc__), argv, lambda sweep, _: table_of(sweep), lambda table, _: draw(table))


if __name__ == "__main__":
    main()
