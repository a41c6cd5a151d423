"""Accuracy against simulated seconds, joules and bits, with bands over paired seeds.

python analysis/accuracy_vs_cost.py runs/table1 --out analysis/results/accuracy_vs_cost

SWEEP is a grid of methods and seeds, such as scenarios/paper/table1.sweep.yaml. Reads its traces
and writes OUT.csv and OUT.png. A seed's accuracy between two checkpoints lies on the line between
them, so that seeds are averaged, and methods subtracted seed by seed, at equal cost; a line ends
where its first seed does. Bands are 95 %, Student's t over seeds (above) and over the differences
of each seed (below). A method that sends nothing is a level line over bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import look
import numpy as np
import pandas as pd
from intervals import over_seeds, paired
from measures import checkpoints
from sweeps import Sweep, command, explained, read_sweep, write_table

COSTS = {
    "simulated_s": "simulated time (s)",
    "energy_j": "energy of all devices (J)",
    "gbit": "bits on the air (Gbit)",
}
_POINTS = 40


def at_equal_cost(sweep: Sweep) -> pd.DataFrame:
    """A row a cost, value of it, label and seed: accuracy there; none beyond a run's end."""
    curves = [(label, seed, checkpoints(run)) for label, seed, run in sweep.runs]
    rows = []
    for cost in COSTS:
        places = _places(cost, [curve for _, _, curve in curves])
        for label, seed, curve in curves:
            free = curve[cost].iloc[-1] == 0
            xs, ys = curve[cost].to_numpy(), curve["accuracy"].to_numpy()
            found = np.full(_POINTS, ys[-1]) if free else np.interp(places, xs, ys, right=np.nan)
            told = {"cost": cost, "label": label, "seed": seed, "at": places, "accuracy": found}
            rows.append(pd.DataFrame({**told, "free": free}))
    return pd.concat(rows, ignore_index=True)


def _places(cost: str, curves: Sequence[pd.DataFrame]) -> np.ndarray:
    """Where curves are read: evenly, or by equal factors of bits, which differ by decades."""
    end = max(float(curve[cost].iloc[-1]) for curve in curves)
    if cost != "gbit" or end == 0:
        return np.linspace(0, end, _POINTS)
    sent = [float(value) for curve in curves for value in curve[cost] if value > 0]
    return np.geomspace(min(sent), end, _POINTS)


def table_of(sweep: Sweep, reference: str) -> pd.DataFrame:
    """A row a cost, value of it and method: accuracy, paired gain, half-widths."""
    sweep.refuse_unknown(reference, "--reference")
    found = at_equal_cost(sweep)
    keys = ["cost", "at"]
    known = found.groupby(["label", *keys])["accuracy"].transform(lambda own: own.notna().all())
    found = found[known]
    table = over_seeds(found, ["label", *keys], "accuracy")
    table = table.merge(paired(found, reference, "accuracy", keys), on=["label", *keys], how="left")
    free = found.groupby(["label", *keys])["free"].all().rename("free").reset_index()
    table = table.merge(free, on=["label", *keys])
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["label"]]
    return table.rename(columns={"label": "method"})


def draw(table: pd.DataFrame, reference: str) -> Any:
    """Accuracy above, the paired gain below, a column a cost."""
    figure, grid = look.panels(2, len(COSTS), 5.4, sharey="row", sharex="col")
    labels = list(dict.fromkeys(table["method"]))
    rows = (("accuracy", "average accuracy (%)"), ("gain", f"less {reference}'s (points, paired)"))
    for row, (column, title) in enumerate(rows):
        for (cost, name), panel in zip(COSTS.items(), grid[row], strict=True):
            for label, style in look.styles(labels).items():
                own = table[(table["method"] == label) & (table["cost"] == cost)].sort_values("at")
                mean, half = 100 * own[column], 100 * own[f"{column}_half"].fillna(0)
                thin = bool(own["free"].all())
                if column == "gain" and (thin or label == reference):
                    continue
                width = 0.9 if thin else 1.5
                panel.plot(own["at"], mean, style.linestyle, color=style.color, linewidth=width)
                if not thin:
                    band = {"color": style.color, "alpha": 0.15, "linewidth": 0}
                    panel.fill_between(own["at"], mean - half, mean + half, **band)
                    panel.plot(own["at"][-1:], mean[-1:], style.marker, color=style.color)
            if cost == "gbit" and table.loc[table["cost"] == cost, "at"].gt(0).all():
                panel.set_xscale("log")
            if row:
                panel.axhline(0, color="0.4", linewidth=1)
                panel.set_xlabel(name)
        grid[row, 0].set_ylabel(title)
    look.legend(figure, labels, 3)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument("--reference", default="lora", help="what gains are measured against")
    arguments = parser.parse_args(argv)
    with explained(parser):
        sweep = read_sweep(arguments.sweep, allow_missing=arguments.allow_missing)
        table = table_of(sweep, arguments.reference)
        write_table(table, arguments.out)
        look.save(draw(table, arguments.reference), arguments.out, sweep.note)


if __name__ == "__main__":
    main()
