"""Accuracy against the compute deadline: layer by layer, dropping whoever is late, or waiting.

python analysis/stragglers.py runs/stragglers* --out analysis/results/stragglers

The SWEEPs are those of scenarios/rivals/stragglers*.yaml: `layerwise_mean` by weighting and cut
under deadlines, `mean`, in which what a late device had counts in its own mixture, and no deadline.
Reads their traces and writes OUT.csv and OUT.png. `gain` is the accuracy less that of dropping
under the same deadline, paired by seed; intervals are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import look
import numpy as np
import pandas as pd
from intervals import over_seeds
from matplotlib.lines import Line2D
from measures import scenario_of
from sweeps import Sweep, script

from cosim.comparison.figures import evaluated_rounds
from cosim.trace.reader import Run
from cosim.trace.schema import Cause, EventKind

AXES = ("method", "training")
KEYS = ("way", "deadline_s")
WAYS = {
    "paper": look.Style("#0072B2", "o", "-"),
    "released": look.Style("#56B4E9", "s", "--"),
    "inverse_probability": look.Style("#E69F00", "^", "-."),
    "drop": look.Style("#D55E00", "v", ":"),
    "old counted": look.Style("#999999", "D", "--"),
    "waiting": look.Style("#000000", "", "-"),
}
# Marks of one deadline stand side by side.
_APART_S = 0.0015


def way_of(scenario: dict[str, Any]) -> str:
    """The weighting, `drop`, `old counted` of a plain mean, or `waiting` without a deadline."""
    if scenario["training"].get("compute_deadline_s") is None:
        return "waiting"
    aggregation = scenario["method"]["aggregation"]
    part = aggregation if isinstance(aggregation, dict) else {"name": aggregation}
    if part["name"] == "mean":
        return "old counted"
    return "drop" if part.get("cut") == "drop" else str(part.get("weighting", "paper"))


def _row(run: Run, seed: int) -> dict[str, Any]:
    scenario, last = scenario_of(run), evaluated_rounds(run).iloc[-1]
    kind, cause = run.events["kind"], run.events["cause"]
    # Mixing, which begins where the neighbours have settled, is computing without a deadline.
    steps = ((kind == EventKind.COMPUTE_START) & (cause == Cause.SCHEDULE)).sum()
    cut_short = ((kind == EventKind.COMPUTE_END) & (cause == Cause.DEADLINE)).sum()
    return {
        "way": way_of(scenario),
        "deadline_s": scenario["training"].get("compute_deadline_s") or np.inf,
        "seed": seed,
        "accuracy": 100 * last["accuracy"],
        "simulated_s": last["time_s"],
        "energy_j": last["energy_j"],
        "gbit": last["mbit"] / 1e3,
        "stopped": float(cut_short / steps),
    }


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a way and deadline; the deadline of waiting is infinite."""
    frame = pd.DataFrame([_row(run, seed) for _, seed, run in sweep.runs])
    dropped = frame[frame["way"] == "drop"][["deadline_s", "seed", "accuracy"]]
    both = frame.merge(dropped, how="left", on=["deadline_s", "seed"], suffixes=("", "_dropped"))
    both["gain"] = both["accuracy"] - both["accuracy_dropped"]
    table = over_seeds(both, KEYS, "accuracy")
    found = over_seeds(both.dropna(subset="gain"), KEYS, "gain").drop(columns="seeds")
    table = table.merge(found, how="left", on=list(KEYS))
    for value in ("simulated_s", "energy_j", "gbit", "stopped"):
        table = table.merge(over_seeds(both, KEYS, value)[[*KEYS, value]], on=list(KEYS))
    lacking = sorted({seed for seeds in sweep.missing.values() for seed in seeds})
    table["missing_seeds"] = " ".join(map(str, lacking))
    return table.sort_values(["way", "deadline_s"], ignore_index=True)


def draw(table: pd.DataFrame) -> Any:
    """Accuracy against the deadline and against simulated time, waiting as a line."""
    figure, grid = look.panels(1, 2, 3.6, sharey=True)
    places = {"deadline_s": "compute deadline (s)", "simulated_s": "simulated time of the run (s)"}
    for panel, (axis, words) in zip(grid[0], places.items(), strict=True):
        for place, (way, style) in enumerate(WAYS.items()):
            own = table[table["way"] == way].sort_values("deadline_s")
            if way == "waiting" and axis == "deadline_s":
                for _, row in own.iterrows():
                    low, high = _within(row["accuracy"], row["accuracy_half"])
                    panel.axhspan(low, high, color="0.9", zorder=0)
                    panel.axhline(row["accuracy"], color="#000000", linewidth=1)
                continue
            half = look.within_a_rate(own["accuracy"], own["accuracy_half"])
            marker = "P" if way == "waiting" else style.marker
            apart = _APART_S * (place - 2) if axis == "deadline_s" else 0.0
            panel.errorbar(
                own[axis] + apart,
                own["accuracy"],
                yerr=half,
                markersize=5,
                linewidth=1.2,
                capsize=2,
                **style._replace(marker=marker)._asdict(),
            )
        panel.set_xlabel(words)
    finite = table[np.isfinite(table["deadline_s"])]
    stopped = finite.groupby("deadline_s")["stopped"].mean()
    labels = [f"{at:g}\n{100 * share:.0f} % late" for at, share in stopped.items()]
    grid[0, 0].set_xticks(list(stopped.index), labels)
    grid[0, 0].set_ylabel("accuracy at the end (%)")
    grid[0, 1].set_title(f"mean over {look.listed(table['seeds'])} seeds, 95 % intervals")
    handles = [
        Line2D([], [], markersize=5, linewidth=1.2, label=way, **style._asdict())
        for way, style in WAYS.items()
        if way in set(table["way"])
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=6, frameon=False)
    return figure


def _within(mean: float, half: float) -> tuple[float, float]:
    below, above = look.within_a_rate([mean], [half])[:, 0]
    return mean - below, mean + above


main = script(__doc__, table_of, draw, axes=AXES, several=True)


if __name__ == "__main__":
    main()
