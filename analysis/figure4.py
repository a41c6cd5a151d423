"""Average accuracy against the number of devices: Figure 4 of arXiv 2602.20492.

python analysis/figure4.py runs/devices --out analysis/results/figure4

SWEEP is a grid of methods, numbers of devices and seeds, such as
scenarios/paper/devices.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. Accuracy is
of the last checkpoint; intervals are 95 %, Student's t over seeds, and over the differences of
each seed where a method is compared with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import look
import pandas as pd
from intervals import over_seeds, paired
from measures import accuracy_by_task, device_tasks, scenario_of
from sweeps import Sweep, command, play

from cosim.plotting.wording import span

AXES = ("devices",)


def scores(sweep: Sweep) -> pd.DataFrame:
    """A row a run: label, seed, devices, accuracy."""
    rows = [
        {
            "label": label,
            "seed": seed,
            "devices": len(device_tasks(scenario_of(run))),
            "accuracy": accuracy_by_task(run).mean(),
        }
        for label, seed, run in sweep.runs
    ]
    return pd.DataFrame(rows)


def table_of(sweep: Sweep, reference: str) -> pd.DataFrame:
    """A row a method and number of devices: accuracy and the paired gain over the reference."""
    sweep.refuse_unknown(reference, "--reference")
    found = scores(sweep)
    table = over_seeds(found, ["label", "devices"], "accuracy")
    gains = paired(found, reference, "accuracy", ["devices"])
    table = table.merge(gains, on=["label", "devices"], how="left")
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["label"]]
    return table.rename(columns={"label": "method"})


def draw(table: pd.DataFrame, reference: str) -> Any:
    """Accuracy on the left, the paired gain on the right."""
    figure, grid = look.panels(1, 2, 3.6)
    absolute, relative = grid[0]
    labels = list(dict.fromkeys(table["method"]))
    for place, (label, style) in enumerate(look.styles(labels).items()):
        own = table[table["method"] == label].sort_values("devices")
        at = own["devices"] + 0.08 * (place - (len(labels) - 1) / 2)
        shape = {**style._asdict(), "markersize": 4, "linewidth": 1.2, "capsize": 2}
        half = 100 * own["accuracy_half"]
        mean = 100 * own["accuracy"]
        absolute.errorbar(at, mean, yerr=look.within_a_rate(mean, half), **shape)
        if label != reference:
            relative.errorbar(at, 100 * own["gain"], yerr=100 * own["gain_half"], **shape)
    relative.axhline(0, color="0.4", linewidth=1)
    absolute.set_ylabel("average accuracy (%)")
    relative.set_ylabel(f"difference to {reference} (points)")
    for panel in (absolute, relative):
        panel.set_xlabel("devices")
        panel.set_xticks(sorted(set(table["devices"])))
    absolute.set_title(f"mean over {span(table['seeds'])} seeds, 95 % intervals")
    look.legend(figure, labels, 3)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = command(__doc__)
    parser.add_argument("--reference", default="lora", help="what gains are measured against")
    play(
        parser,
        argv,
        lambda sweep, given: table_of(sweep, given.reference),
        lambda table, given: draw(table, given.reference),
        axes=AXES,
    )


if __name__ == "__main__":
    main()
