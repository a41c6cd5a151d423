"""The error of mixing over packets that are lost, against how often a round mixes.

python analysis/imperfect_links.py runs/imperfect_links* --out analysis/results/imperfect_links

The SWEEPs are those of scenarios/rivals/imperfect_links*.yaml: what stands in for a lost value, or
retransmission, by the number of mixings J, with `local` on the same seeds. Reads their adapters
and traces and writes OUT.csv and OUT.png. The error is √(mean over i of ‖x_i − ȳ‖²), ȳ the
mean of what devices had before they mixed: of B in units of their disagreement then, of A, which
one step from B = 0 leaves alike in all devices, in units of ‖ȳ‖. Intervals are 95 %, Student's t
over seeds.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from intervals import ends, over_how_many, over_seeds
from measures import scenario_of
from mixing_error import FACTORS, FloatArray, held, mixing_error
from packet_outage import share_lost
from sweeps import Drawn, Sweep, script

from cosim.errors import SweepError
from cosim.plotting.marks import draw_marks
from cosim.plotting.style import STYLES, sheet
from cosim.plotting.ticks import number_axis
from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome

AXES = ("radio", "method")
CURVES = {
    "zero": "lost values are 0",
    "own": "the receiver's own",
    "renormalise": "mean of what arrived",
    "inverse_probability": "0, and others / probability",
    "blocks": "blocks, sent again until Γ",
    "fluid": "Shannon's rate until Γ",
}
_STYLES = dict(
    zip(
        ("own", "zero", "blocks", "inverse_probability", "renormalise", "fluid"),
        STYLES,
        strict=True,
    )
)
UNITS = {"B": "disagreement before = 1", "A": "its size = 1"}


def case_of(scenario: dict[str, Any]) -> tuple[str, str]:
    """What a run does about losses, and where its losses come from."""
    radio = scenario["radio"]
    packets = radio["packets"]["model"]
    margin = f"{radio['power'].get('margin_db', 0.0):g} dB"
    if packets != "one_shot":
        return packets, margin
    drawn = radio["packets"].get("erasure")
    losses = margin if drawn is None else f"drawn, {100 * drawn:g} %"
    return str(_setting(scenario["method"]["aggregation"], "missing", "zero")), losses


def _setting(part: Any, key: str, usual: Any) -> Any:
    """A part's setting, where the scenario writes it as a word if it is as usual."""
    return part.get(key, usual) if isinstance(part, dict) else usual


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a way to mix, kind of loss, J and factor."""
    before = dict[tuple[int, str], dict[str, FloatArray]]()
    for _, seed, run in sweep.runs:
        if run.manifest["method"] == "local":
            before.setdefault(_learnt_by(run, seed), held(run))
    rows = []
    for _, seed, run in sweep.runs:
        if run.manifest["method"] == "local":
            continue
        if (learnt := _learnt_by(run, seed)) not in before:
            raise SweepError(f"what devices had before they mixed: no run of local of seed {seed}")
        rows += list(_rows(run, seed, before[learnt]))
    frame = pd.DataFrame(rows)
    keys = ["way", "losses", "mixings", "factor"]
    table = over_seeds(frame, keys, "error")
    for value in ("drift", "lost", "missed", "round_s", "radio_j"):
        found = over_seeds(frame, keys, value).drop(columns=["seeds", f"{value}_half"])
        table = table.merge(found, on=keys, how="left")
    table.insert(0, "method", "dfl_imperfect")
    table["missing_seeds"] = " ".join(
        sorted({str(seed) for seeds in sweep.missing.values() for seed in seeds})
    )
    return table.sort_values(["losses", "factor", "way", "mixings"], ignore_index=True)


def _learnt_by(run: Run, seed: int) -> tuple[int, str]:
    """What decides what devices hold before they mix."""
    scenario = scenario_of(run)
    told = (scenario.get(key) for key in ("base_model", "adapter", "tasks", "training"))
    return seed, json.dumps(list(told), sort_keys=True)


def _rows(run: Run, seed: int, before: Any) -> Any:
    scenario, after = scenario_of(run), held(run)
    way, losses = case_of(scenario)
    told = {"way": way, "losses": losses, "seed": seed}
    told["mixings"] = _setting(scenario["method"]["schedule"], "mixings", 1)
    told["lost"] = share_lost(run) if way not in ("blocks", "fluid") else None
    told["missed"] = float((run.transfers["outcome"] != TransferOutcome.DELIVERED).mean())
    told["round_s"] = float(run.rounds["end_s"].max())
    told["radio_j"] = float(run.rounds[["energy_tx_j", "energy_rx_j"]].to_numpy().sum())
    for factor in FACTORS:
        error = mixing_error(after, before, [factor])
        # One step from B = 0 leaves A as it was, and there is nothing for devices to agree on.
        unit = error.apart if factor == "B" else error.size
        yield {
            **told,
            "factor": factor,
            "error": error.whole / unit,
            "drift": error.drift / unit,
        }


def draw(table: pd.DataFrame) -> Drawn:
    """A row of panels for B and one for A, a column for each kind of loss."""
    kinds = sorted(set(table["losses"]), key=lambda kind: ("drawn" in kind, kind))
    figure, rows = sheet([2.7, 2.2], len(kinds), sharey=True)
    mixings = sorted(set(table["mixings"].astype(float)))
    for row, factor in zip(rows, FACTORS, strict=True):
        for panel, losses in zip(row.panels, kinds, strict=True):
            shown = table[(table["losses"] == losses) & (table["factor"] == factor)]
            for way, style in _STYLES.items():
                own = shown[shown["way"] == way].sort_values("mixings")
                low, high = ends(own, "error", 0.0)
                if factor == "B":
                    # A logarithm has no 0: there the interval ends at a tenth of its mean.
                    low = low.mask(low <= 0, 0.1 * own["error"])
                draw_marks(panel, own["mixings"].tolist(), own["error"], low, high, style)
            number_axis(panel, mixings)
            if factor == "B":
                panel.axhline(1.0, color="0.6", linewidth=0.8)
                panel.set_yscale("log")
                lost = table.loc[table["losses"] == losses, "lost"].mean()
                title = "drawn apart" if "drawn" in losses else f"fading, margin {losses}"
                panel.set_title(f"{title}:\n{100 * lost:.1f} % of packets lost")
            else:
                panel.set_xlabel("mixings a round, J")
        row.panels[0].set_ylabel(f"error of {factor}\n({UNITS[factor]})")
    played = {way: style for way, style in _STYLES.items() if way in set(table["way"])}
    rows[0].legend({CURVES[way]: style for way, style in played.items()})
    between = "Lines guide the eye: between the marks nothing was played."
    return figure, f"{over_how_many(table['seeds'])} {between}"


main = script(__doc__, table_of, draw, axes=AXES, several=True)


if __name__ == "__main__":
    main()
