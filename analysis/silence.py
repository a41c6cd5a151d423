"""What silence by a threshold saves in transmissions, seconds and joules, and costs in accuracy.

python analysis/silence.py runs/silence --out analysis/results/silence

SWEEP varies the threshold of `sending: on_drift`, 0 included, such as
scenarios/rivals/silence.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. What is saved
is in per cent of what threshold 0 of the same method spends, and paired by seed as is the
difference in accuracy; beacons are in the seconds and joules and are no transmissions. Of a method
whose threshold is both the same for all and by rate, such as in silence_thresholds.sweep.yaml, both
are curves, and `by_rate_` are differences between them, paired by seed, in per cent, of accuracy in
points. Intervals are 95 %, Student's t over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pandas as pd
from intervals import ends, over_how_many, over_seeds
from measures import scenario_of
from sweeps import Drawn, Sweep, script

from cosim.comparison.figures import evaluated_rounds
from cosim.errors import SweepError
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.style import STYLES, sheet
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind

AXES = ("method",)
KEYS = ("method", "threshold")
SAVED = {"transmissions": "transmissions", "simulated_s": "seconds", "energy_j": "joules"}
ALL_ALIKE = ", one for all"


def _row(run: Run, seed: int) -> dict[str, Any]:
    method, transfers = scenario_of(run)["method"], run.transfers
    threshold = _threshold(method)
    last = evaluated_rounds(run).iloc[-1]
    return {
        "method": method["name"],
        "by": method["sending"].get("by", "same"),
        "threshold": threshold,
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
    frame = _two_ways(pd.DataFrame([_row(run, seed) for _, seed, run in sweep.runs]))
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
    for between in _by_rate(frame):
        table = table.merge(between, on=list(KEYS), how="left")
    lacking = sorted({seed for seeds in sweep.missing.values() for seed in seeds})
    table["missing_seeds"] = " ".join(map(str, lacking))
    return table.sort_values(["method", "threshold"], ignore_index=True)


def _two_ways(frame: pd.DataFrame) -> pd.DataFrame:
    """A method with thresholds of both kinds as two, with what never keeps silent in both."""
    kinds = frame[frame["threshold"] > 0].groupby("method")["by"].agg(set)
    both = frame["method"].isin(kinds.index[kinds == {"rate", "same"}])
    alike = frame[both & ((frame["by"] == "same") | (frame["threshold"] == 0))]
    other = frame[~both | (frame["by"] == "rate") | (frame["threshold"] == 0)]
    return pd.concat([other, alike.assign(method=alike["method"] + ALL_ALIKE)], ignore_index=True)


def _by_rate(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """How much more a method has or spends by rate than by one threshold for all."""
    alike = frame[frame["method"].str.endswith(ALL_ALIKE)]
    if alike.empty:
        return
    alike = alike.assign(method=alike["method"].str.removesuffix(ALL_ALIKE))
    pairs = frame.merge(alike, on=[*KEYS, "seed"], suffixes=("", "_alike"))
    pairs["by_rate_accuracy"] = pairs["accuracy"] - pairs["accuracy_alike"]
    for value in SAVED:
        pairs[f"by_rate_{value}"] = 100 * (pairs[value] / pairs[f"{value}_alike"] - 1)
    for value in ("accuracy", *SAVED):
        yield over_seeds(pairs, KEYS, f"by_rate_{value}").drop(columns="seeds")


def draw(table: pd.DataFrame) -> Drawn:
    """Accuracy of all methods, and for each a panel of what it saves."""
    methods, levels = sorted(set(table["method"])), sorted(set(table["threshold"]))
    figure, (row,) = sheet([2.9], 1 + len(methods))
    scores, *savings = row.panels
    for place, (method, style) in enumerate(zip(methods, cycle(STYLES))):
        own = table[table["method"] == method]
        at = [levels.index(threshold) for threshold in own["threshold"]]
        low, high = ends(own, "accuracy", 0.0, 100.0)
        beside = aside_pt(place, len(methods))
        draw_marks(scores, at, own["accuracy"], low, high, style, beside, label=method)
    scores.set_ylabel("accuracy at the end (%)")
    for panel, method in zip(savings, methods, strict=True):
        own = table[table["method"] == method]
        at = [levels.index(threshold) for threshold in own["threshold"]]
        for place, (quantity, words) in enumerate(SAVED.items()):
            saved = f"saved_{quantity}"
            low, high = ends(own, saved)
            style, beside = STYLES[place], aside_pt(place, len(SAVED))
            draw_marks(panel, at, own[saved], low, high, style, beside, label=words)
        panel.set_ylabel(f"{method}: saved (%)")
        panel.axhline(0.0, color="0.45", linewidth=0.8, zorder=1)
    for panel in row.panels:
        panel.set_xticks(range(len(levels)), [f"{1e3 * level:g}" for level in levels])
        panel.set_xlim(-0.4, len(levels) - 0.6)
        panel.set_xlabel("threshold τ (1e-3)")
    for panel in row.panels[:2]:
        bottom, top = panel.get_ylim()
        panel.set_ylim(bottom, top + 0.2 * (top - bottom))  # room for the names
        panel.legend(frameon=False, loc="upper right" if panel is scores else "upper left")
    between = "Lines guide the eye; marks side by side belong to one threshold."
    return figure, f"{over_how_many(table['seeds'])} Savings are paired by seed. {between}"


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
