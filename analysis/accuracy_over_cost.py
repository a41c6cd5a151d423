"""Accuracy against simulated seconds, joules and bits, one line a run.

python analysis/accuracy_over_cost.py RUN [RUN …] --out analysis/results/quickstart

Reads the traces of finished runs and writes OUT.png and OUT.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

import cosim
from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS

AXES = {
    "simulated_s": "simulated time (s)",
    "energy_j": "energy of all devices (J)",
    "gbit": "bits on the air (Gbit)",
}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe–Ito


def accuracy_over_cost(run: Run) -> pd.DataFrame:
    """Mean accuracy over devices and tasks at each checkpoint, with what it had cost by then."""
    scores = run.evaluations[run.evaluations["metric"].isin(HEADLINE_METRICS)]
    points = scores.groupby("round").agg(accuracy=("value", "mean"), simulated_s=("time_s", "max"))
    energy = run.rounds.filter(regex="^energy_").sum(axis=1).groupby(run.rounds["round"]).sum()
    bits = run.transfers.groupby("round")["sent_bits"].sum()
    arrived = run.transfers["outcome"].eq("delivered").astype(int)
    by_round = run.transfers["round"]
    costs = {
        "energy_j": energy,
        "gbit": bits / 1e9,
        "delivered": arrived.groupby(by_round).sum(),
        "missed": (1 - arrived).groupby(by_round).sum(),
    }
    for name, cost in costs.items():
        points[name] = cost.cumsum().reindex(points.index, fill_value=0)
    points.insert(0, "method", run.manifest["method"])
    points.insert(1, "seed", run.manifest["seed"])
    return points.reset_index()


def draw(points: pd.DataFrame, path: Path) -> None:
    """Three panels that share the accuracy axis."""
    figure, panels = plt.subplots(1, len(AXES), figsize=(10.5, 3.4), sharey=True)
    for panel, (column, label) in zip(panels, AXES.items(), strict=True):
        for colour, (method, own) in zip(
            COLOURS, points.groupby("method", sort=False), strict=False
        ):
            panel.plot(own[column], own["accuracy"], "o-", color=colour, label=method)
        panel.set_xlabel(label)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("mean accuracy, devices × tasks")
    panels[0].set_ylim(bottom=-0.02)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False
    )
    figure.tight_layout(rect=(0, 0, 1, 0.92))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--out", type=Path, required=True, help="path without an ending")
    arguments = parser.parse_args()
    runs = [cosim.read_run(path) for path in arguments.runs]
    unfinished = [str(run.directory) for run in runs if run.manifest["status"] != "completed"]
    if unfinished:
        parser.error(f"not completed: {', '.join(unfinished)}")
    points = pd.concat([accuracy_over_cost(run) for run in runs], ignore_index=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    points.to_csv(arguments.out.with_suffix(".csv"), index=False, float_format="%.6g")
    draw(points, arguments.out.with_suffix(".png"))
    print(points.to_string(index=False))


if __name__ == "__main__":
    main()
