"""Sums on the air or bits: time, energy and error of one exchange, against power and neighbours.

python analysis/analog_or_digital.py runs/analog_or_digital* --out analysis/results/analog

The SWEEPs are those of scenarios/rivals/analog_or_digital*.yaml, with `local` on the same seeds.
Reads their adapters and traces and writes OUT.csv and OUT.png. The error is that of B beside the
exact mean over a device and its neighbours of what they had before, relative to that mean: of
noise and of who takes no part on the air, of rounding in bits. Intervals are 95 %, Student's t
over seeds.

`equal_bits`: with how many bits a value the digital twin errs as much as the air, by a line through
the logarithms of its errors at the two next numbers of bits; `equal_s` and `equal_j`: what these
would take, in proportion. `broadcast_s`: 16 bits said once by each sender to all neighbours, at
the rate of its weakest link: computed, since each link is sent to by itself here. A sender's n
links have an n-th of its band and power each, so that this is an n-th of the longest transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from intervals import ends, over_how_many, over_seeds
from matplotlib.lines import Line2D
from measures import scenario_of
from mixing_error import FloatArray, held
from sweeps import Drawn, Sweep, script

from cosim.errors import SweepError
from cosim.plotting.marks import draw_marks
from cosim.plotting.style import STYLES, legend_lines, sheet
from cosim.plotting.ticks import number_axis
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind, TransferOutcome

AXES = ("radio", "method", "adapter")
KEYS = ("way", "neighbours", "p_max_dbm")
QUANTITIES = {
    "exchange_s": "seconds on the air",
    "radio_j": "radio of all devices (J)",
    "error": "error of the mean of B",
}
_STYLES = dict(zip(("air", "16 bit", "8 bit", "4 bit"), STYLES, strict=False))
_BROADCAST: Any = {"color": "0.35", "linewidth": 1.6, "linestyle": ":"}
_WHOLE = "16 bit"


def way_of(scenario: dict[str, Any], values: int) -> str:
    """`air`, or the bits of each of so many values."""
    access = scenario["radio"].get("access", "digital")
    if (access["model"] if isinstance(access, dict) else access) == "air":
        return "air"
    if _network_alone(scenario):
        return f"{scenario['learning']['payload_bits'] // values} bit"
    codec = scenario["method"].get("codec", "floating")
    if isinstance(codec, dict) and codec["name"] == "rounded":
        return f"{codec['bits']} bit"
    return f"{scenario['adapter']['bits_per_value']} bit"


def _network_alone(scenario: dict[str, Any]) -> bool:
    return bool(scenario["learning"]["model"] == "none")


def exact_means(before: FloatArray, updates: pd.DataFrame) -> FloatArray:
    """The mean over a device and all who sent to it, whether that arrived or not."""
    heard = np.eye(len(before))
    heard[updates["dst"], updates["src"]] = 1.0
    means: FloatArray = heard @ before / heard.sum(axis=1, keepdims=True)
    return means


def _row(run: Run, seed: int, before: dict[str, FloatArray]) -> dict[str, Any]:
    scenario, transfers = scenario_of(run), run.transfers
    updates = transfers[transfers["kind"] == TransferKind.UPDATE]
    off = np.nan
    if not _network_alone(scenario):
        exact = exact_means(before["B"], updates)
        off = float(np.linalg.norm(held(run)["B"] - exact) / np.linalg.norm(exact))
    longest_s = float((updates["end_s"] - updates["start_s"]).max())
    neighbours = round(len(updates) / len(before["B"]))
    way = way_of(scenario, sum(factor.shape[1] for factor in before.values()))
    digital = way != "air"
    return {
        "way": way,
        "seed": seed,
        "neighbours": neighbours,
        "p_max_dbm": scenario["radio"]["p_max_dbm"],
        "exchange_s": float(transfers["end_s"].max() - transfers["start_s"].min()),
        "radio_j": float(run.rounds[["energy_tx_j", "energy_rx_j"]].to_numpy().sum()),
        "error": off,
        "taking_part": float((updates["outcome"] == TransferOutcome.DELIVERED).mean()),
        "estimate_error": float(updates["estimate_error"].mean()),
        "snr_db": float(updates["mean_snr_db"].median()) if digital else np.nan,
        "broadcast_s": longest_s / neighbours if digital else np.nan,
    }


def equal_bits(error: float, bits: Sequence[float], errors: Sequence[float]) -> float:
    """At how many bits rounding errs so much, on a line through the next two in log2(error)."""
    order = np.argsort(bits)
    at, logs = np.asarray(bits, float)[order], np.log2(np.asarray(errors, float)[order])
    wanted = float(np.log2(error))
    # Errors fall with bits: the first interval whose end errs less, or the last one.
    upper = int(np.clip(np.searchsorted(-logs, -wanted), 1, len(at) - 1))
    slope = (logs[upper] - logs[upper - 1]) / (at[upper] - at[upper - 1])
    return float(at[upper] + (wanted - logs[upper]) / slope)


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a way, number of neighbours and power."""
    before = {one.seed: one.run for one in sweep.runs if one.run.manifest["method"] == "local"}
    rows, had = [], {seed: held(run) for seed, run in before.items()}
    for _, seed, run in sweep.runs:
        if run.manifest["method"] != "local":
            if seed not in had:
                raise SweepError(f"what devices had: there is no run of local of seed {seed}")
            rows.append(_row(run, seed, had[seed]))
    frame = pd.DataFrame(rows)
    # Rounding knows no power: of the network alone the error is that of the run that has learnt.
    learnt = frame.groupby(["way", "seed", "neighbours"])["error"].transform("mean")
    frame["error"] = frame["error"].fillna(learnt.where(frame["way"] != "air"))
    frame = _with_equals(frame)
    table = over_seeds(frame, KEYS, "exchange_s")
    for value in ("radio_j", "error", "equal_bits", "equal_s", "equal_j"):
        found = over_seeds(frame, KEYS, value).drop(columns="seeds")
        table = table.merge(found, on=list(KEYS), how="left")
    for value in ("taking_part", "estimate_error", "snr_db", "broadcast_s"):
        found = over_seeds(frame, KEYS, value)
        table = table.merge(found[[*KEYS, value]], on=list(KEYS), how="left")
    table.insert(0, "method", "air_fedavg")
    lacking = sorted({seed for seeds in sweep.missing.values() for seed in seeds})
    table["missing_seeds"] = " ".join(map(str, lacking))
    return table.sort_values(["neighbours", "p_max_dbm", "way"], ignore_index=True)


def _with_equals(frame: pd.DataFrame) -> pd.DataFrame:
    """With what of bits errs as much as the air, in the air's rows."""
    frame = frame.assign(equal_bits=np.nan, equal_s=np.nan, equal_j=np.nan)
    for at, air in frame[frame["way"] == "air"].iterrows():
        same = (frame[["seed", *KEYS[1:]]] == air[["seed", *KEYS[1:]]]).all(axis=1)
        twins = frame[same & (frame["way"] != "air")]
        if len(twins) < 2:
            continue
        bits = [float(way.split()[0]) for way in twins["way"]]
        needed = equal_bits(air["error"], bits, list(twins["error"]))
        per_bit = twins[["exchange_s", "radio_j"]].div(bits, axis=0).mean()
        found = [needed, needed * per_bit["exchange_s"], needed * per_bit["radio_j"]]
        frame.loc[at, ["equal_bits", "equal_s", "equal_j"]] = found
    return frame


def draw(table: pd.DataFrame) -> Drawn:
    """A row of panels for each number of neighbours, a column for each quantity."""
    counts = sorted(set(table["neighbours"]))
    figure, rows = sheet([2.6] * len(counts), len(QUANTITIES))
    for row, neighbours in zip(rows, counts, strict=True):
        shown = table[table["neighbours"] == neighbours]
        twin = shown[shown["way"] == _WHOLE].sort_values("p_max_dbm")
        powers = [float(power) for power in twin["p_max_dbm"]]
        ticks = [f"{at:g}\n{snr:.0f} dB" for at, snr in zip(powers, twin["snr_db"], strict=True)]
        for panel, (quantity, words) in zip(row.panels, QUANTITIES.items(), strict=True):
            for way, style in _STYLES.items():
                own = shown[shown["way"] == way].sort_values("p_max_dbm")
                low, high = _ends(own, quantity)
                draw_marks(panel, own["p_max_dbm"].tolist(), own[quantity], low, high, style)
            means = table.loc[table[quantity] > 0, quantity]
            if len(means):
                lows, highs = _ends(table, quantity)
                panel.set_yscale("log")
                panel.set_ylim(0.5 * lows.fillna(means).min(), 2.0 * highs.fillna(means).max())
            if powers:
                number_axis(panel, powers, ticks)
            panel.set_ylabel(words)
        row.panels[0].set_title(f"each device hears {neighbours} others")
        # In front: it may take as long as 8 bits said to each.
        row.panels[0].plot(powers, twin["broadcast_s"], zorder=5, **_BROADCAST)
    for panel in rows[-1].panels:
        panel.set_xlabel("p_max (dBm)")
    names = {f"{way} a value" if "bit" in way else "on the air": _STYLES[way] for way in _STYLES}
    once = Line2D([], [], label="16 bit, said once to all (computed)", **_BROADCAST)
    rows[0].named([*legend_lines(names), once])
    told = "Below p_max the median SNR of the links that send 16 bits a value."
    return figure, f"{over_how_many(table['seeds'])} {told}"


def _ends(table: pd.DataFrame, quantity: str) -> tuple[pd.Series, pd.Series]:
    """Of intervals on a logarithmic axis: what would end at 0 or below ends at a tenth."""
    low, high = ends(table, quantity)
    return low.mask(low <= 0, 0.1 * table[quantity]), high


main = script(__doc__, table_of, draw, axes=AXES, several=True)


if __name__ == "__main__":
    main()
