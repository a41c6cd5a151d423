"""What silence by a threshold saves in transmissions, seconds and joules, and costs in accuracy.

python analysis/silence.py runs/silence --out analysis/results/silence

SWEEP varies the threshold of `sending: on_drift`, 0 included, such as
scenarios/rivals/silence.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. What is saved
is in per cent of what threshold 0 of the same method spends, and paired by seed as is the
difference in accuracy; beacons are in the seconds and joules and are no transmissions. Intervals
are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import look
import pandas as pd
from intervals import over_seeds
from measures import scenario_of
from sweeps import Sweep, script

from cosim.comparison.figures import evaluated_rounds
from cosim.errors import SweepError
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind

AXES = ("method",)
KEYS = ("method", "threshold")
SAVED = {"transmissions": "transmissions", "simulated_s": "seconds", "energy_j": "joules"}
_STYLES = {
    "transmissions": look.Style("#0072B2", "o", "-"),
    "simulated_s": look.Style("#D55E00", "^", "--"),
    "energy_j": look.Style("#009E73", "s", "-."),
}
# Marks of one threshold stand side by side.
_APART = 0.08


def _row(run: Run, seed: int) -> dict[str, Any]:
    method, transfers = scenario_of(run)["method"], run.transfers
    last = evaluated_rounds(run).iloc[-1]
    return {
        "method": method["name"],
        "threshold": float(_threshold(method)),
        "seed": seed,
        "accuracy": 100 * last["accuracy"],
        "transmissions": float((transfers["kind"] == TransferKind.UPDATE).sum()),
        "beacons": float((transfers["kind"] == TransferKind.BEACON).sum()),
        "simulated_s": last["time_s"],
        "energy_j": last["energy_j"],
    }


def _threshold(method: dict[str, Any]) -> float:
    sending = method["sending"]
    if not isinstance(sending, dict) or "threshold" not in sending:
        raise SweepError(f"method {method['name']} has no threshold of silence")
    return float(sending["threshold"])


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a method and threshold."""
    frame = pd.DataFrame([_row(run, seed) for _, seed, run in sweep.runs])
    always = frame[frame["threshold"] == 0]
    if set(always["method"]) != set(frame["method"]):
        raise SweepError("what silence saves is counted from threshold 0, which a method lacks")
    both = frame.merge(always, on=["method", "seed"], suffixes=("", "_always"))
    both["gain"] = both["accuracy"] - both["accuracy_always"]
    for quantity in SAVED:
        both[f"saved_{quantity}"] = 100 * (1 - both[quantity] / both[f"{quantity}_always"])
    table = over_seeds(both, KEYS, "accuracy")
    for value in ("gain", *(f"saved_{quantity}" for quantity in SAVED)):
        table = table.merge(over_seeds(both, KEYS, value).drop(columns="seeds"), on=list(KEYS))
    for value in ("beacons", *SAVED):
        found = over_seeds(both, KEYS, value)
        table = table.merge(found[[*KEYS, value]], on=list(KEYS))
    lacking = sorted({seed for seeds in sweep.missing.values() for seed in seeds})
    table["missing_seeds"] = " ".join(map(str, lacking))
    return table.sort_values(["method", "threshold"], ignore_index=True)


def draw(table: pd.DataFrame) -> Any:
    """Accuracy of all methods, and for each a panel of what it saves."""
    methods, levels = sorted(set(table["method"])), sorted(set(table["threshold"]))
    figure, grid = look.panels(1, 1 + len(methods), 3.3)
    panel = grid[0, 0]
    for place, (method, style) in enumerate(look.styles(methods).items()):
        own = table[table["method"] == method]
        apart = _APART * (place - (len(methods) - 1) / 2)
        panel.errorbar(
            [levels.index(threshold) + apart for threshold in own["threshold"]],
            own["accuracy"],
            yerr=look.within_a_rate(own["accuracy"], own["accuracy_half"]),
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label=method,
            **style._asdict(),
        )
    panel.set_ylabel("accuracy at the end (%)")
    panel.legend(frameon=False)
    panel.set_title(f"mean over {look.listed(table['seeds'])} seeds, 95 %")
    for panel, method in zip(grid[0, 1:], methods, strict=True):
        own = table[table["method"] == method]
        for place, (quantity, style) in enumerate(_STYLES.items()):
            panel.errorbar(
                [levels.index(at) + _APART * (place - 1) for at in own["threshold"]],
                own[f"saved_{quantity}"],
                yerr=own[f"saved_{quantity}_half"].fillna(0.0),
                markersize=5,
                linewidth=1.2,
                capsize=2,
                label=SAVED[quantity],
                **style._asdict(),
            )
        panel.set_title(f"{method}: saved (%)")
    grid[0, 1].legend(frameon=False)
    for panel in grid.flat:
        panel.set_xticks(range(len(levels)), [f"{1e3 * level:g}" for level in levels])
        panel.set_xlabel("threshold τ (1e-3)")
    return figure


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
