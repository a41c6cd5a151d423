"""Accuracy against the compute deadline: layer by layer, dropping whoever is late, or waiting.

python analysis/stragglers.py runs/stragglers* --out analysis/results/stragglers

The SWEEPs are those of scenarios/rivals/stragglers*.yaml: `layerwise_mean` by weighting and cut
under deadlines, `mean`, in which what a late device had counts in its own mixture, and no deadline.
Reads their traces and writes OUT.csv and OUT.png. `gain` is the accuracy less that of dropping
under the same deadline, paired by seed; intervals are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from intervals import ends, over_how_many, over_seeds
from measures import scenario_of
from sweeps import Drawn, Sweep, script

from cosim.comparison.figures import evaluated_rounds
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.style import STYLES, sheet
from cosim.plotting.ticks import number_axis
from cosim.trace.reader import Run
from cosim.trace.schema import Cause, EventKind

AXES = ("method", "training")
KEYS = ("way", "deadline_s")
WAITING = "waiting"
WAYS = dict(
    zip(
        ("released", "drop", WAITING, "inverse_probability", "paper", "old counted"),
        STYLES,
        strict=True,
    )
)
PLACES = {"deadline_s": "compute deadline (s)", "simulated_s": "simulated time of the run (s)"}


def way_of(scenario: dict[str, Any]) -> str:
    """The weighting, `drop`, `old counted` of a plain mean, or `waiting` without a deadline."""
    if scenario["training"].get("compute_deadline_s") is None:
        return WAITING
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
        "method": scenario["method"]["name"],
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
    names = frame.groupby("way")["method"].first()
    table.insert(0, "method", table["way"].map(names))
    lacking = sorted({seed for seeds in sweep.missing.values() for seed in seeds})
    table["missing_seeds"] = " ".join(map(str, lacking))
    return table.sort_values(["way", "deadline_s"], ignore_index=True)


def draw(table: pd.DataFrame) -> Drawn:
    """Accuracy against the deadline and against simulated time, waiting as a line."""
    figure, (row,) = sheet([3.2], len(PLACES), sharey=True)
    deadlines = sorted(float(at) for at in set(table["deadline_s"]) if np.isfinite(at))
    for panel, (axis, words) in zip(row.panels, PLACES.items(), strict=True):
        curves = [way for way in WAYS if way != WAITING]
        for way, style in WAYS.items():
            own = table[table["way"] == way].sort_values("deadline_s")
            low, high = ends(own, "accuracy", 0.0, 100.0)
            if way == WAITING and axis == "deadline_s":
                for mean, least, most in zip(own["accuracy"], low, high, strict=True):
                    panel.axhspan(least, most, color="0.9", zorder=0)
                    panel.axhline(mean, color=style.color, linewidth=0.9)
                continue
            at = own[axis].tolist()
            aside = aside_pt(curves.index(way), len(curves)) if axis == "deadline_s" else 0.0
            draw_marks(panel, at, own["accuracy"], low, high, style, aside)
        panel.set_xlabel(words)
    finite = table[np.isfinite(table["deadline_s"])]
    stopped = finite.groupby("deadline_s")["stopped"].mean()
    labels = [f"{at:g}\n{100 * stopped[at]:.3g} % late" for at in deadlines]
    number_axis(row.panels[0], deadlines, labels)
    row.panels[0].set_ylabel("accuracy at the end (%)")
    row.legend({way: style for way, style in WAYS.items() if way in set(table["way"])})
    told = "On the left marks side by side belong to one deadline; waiting is a line there."
    return figure, f"{over_how_many(table['seeds'])} {told}"


main = script(__doc__, table_of, draw, axes=AXES, several=True)


if __name__ == "__main__":
    main()
