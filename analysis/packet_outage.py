"""Packets lost of those sent once, against the power margin: measured, and Rayleigh's outage.

python analysis/packet_outage.py runs/packet_outage --out analysis/results/packet_outage

SWEEP varies margin, which is the rate's backoff too, and packet size, such as
scenarios/rivals/packet_outage.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. The line
is 1 − exp(−1/margin), of packets during which the channel stands still; intervals are 95 %,
Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from intervals import ends, over_how_many, over_seeds
from matplotlib.lines import Line2D
from measures import scenario_of
from sweeps import Drawn, Sweep, script

from cosim.errors import SweepError
from cosim.physics.decibel import db_to_ratio
from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.packets import block_count
from cosim.physics.single_pass import decoding_snr, rayleigh_delivery
from cosim.plotting.marks import draw_marks
from cosim.plotting.style import chunks, legend_lines, sheet
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind

AXES = ("radio",)


def share_lost(run: Run) -> float:
    """Packets lost of those that updates were sent in, over all of a run."""
    transfers = run.transfers
    sent_once = transfers[
        (transfers["kind"] == TransferKind.UPDATE) & transfers["packets_lost"].notna()
    ]
    if sent_once.empty:
        raise SweepError(f"{run.directory} has no packets that are sent once")
    size = scenario_of(run)["radio"]["packets"]["packet_bits"]
    return float(sent_once["packets_lost"].sum() / block_count(sent_once["bits"], size).sum())


def outage(margin_db: Any) -> Any:
    """What fades of Rayleigh leave undecoded where the rate keeps the margin as its backoff."""
    efficiency = 1.0  # of any: the margin is what counts
    mean_snr = db_to_ratio(margin_db) * decoding_snr(efficiency)
    return 1.0 - rayleigh_delivery(mean_snr, efficiency)


def coherence_times(run: Run) -> float:
    """How many coherence times of two devices at full speed a packet lasts."""
    scenario, transfers = scenario_of(run), run.transfers
    whole = transfers.iloc[0]
    packets = whole["bits"] / scenario["radio"]["packets"]["packet_bits"]
    speed = max(group["mobility"]["speed_m_s"][1] for group in scenario["devices"])
    doppler = doppler_hz(speed, scenario["radio"]["carrier_hz"])
    coherent_s = float(coherence_time_s(effective_doppler_hz(doppler, doppler)))
    return float((whole["end_s"] - whole["start_s"]) / packets / coherent_s)


def table_of(sweep: Sweep) -> pd.DataFrame:
    """A row a packet size and margin."""
    rows = []
    for label, seed, run in sweep.runs:
        radio = scenario_of(run)["radio"]
        told = {"packet_bits": radio["packets"]["packet_bits"]}
        told |= {"margin_db": radio["power"].get("margin_db", 0.0), "lost": share_lost(run)}
        times = coherence_times(run)
        rows.append({"method": label, "seed": seed, "coherence_times": times, **told})
    frame = pd.DataFrame(rows)
    keys = ["method", "packet_bits", "margin_db"]
    table = over_seeds(frame, keys, "lost")
    long = frame.groupby("packet_bits")["coherence_times"].mean()
    table["coherence_times"] = table["packet_bits"].map(long)
    table["outage"] = outage(table["margin_db"])
    table["missing_seeds"] = [sweep.missing_seeds(label) for label in table["method"]]
    return table.sort_values(["packet_bits", "margin_db"], ignore_index=True)


def draw(table: pd.DataFrame) -> Drawn:
    """The formula as a line, the measured shares as marks; at most six packet sizes a row."""
    lengths = table.groupby("packet_bits")["coherence_times"].first()
    names = {f"{size:,} bit: {long:.2g} coherence times": size for size, long in lengths.items()}
    parts = chunks(list(names))
    figure, rows = sheet([3.2] * len(parts), 1)
    margins = np.linspace(table["margin_db"].min(), table["margin_db"].max(), 200)
    formula = Line2D([], [], color="0.3", linewidth=1.1, label="1 − exp(−1/margin), longer fades")
    low, high = ends(table, "lost", 0.0, 1.0)
    for styles, row in zip(parts, rows, strict=True):
        (panel,) = row.panels
        panel.plot(margins, 100 * outage(margins), color="0.3", linewidth=1.1)
        unjoined = {label: style._replace(linestyle="") for label, style in styles.items()}
        for label, style in unjoined.items():
            own = table["packet_bits"] == names[label]
            mean, least, most = (100 * part[own] for part in (table["lost"], low, high))
            draw_marks(panel, table.loc[own, "margin_db"], mean, least, most, style)
        panel.set_xlabel("margin above Lemma 1's power for Γ, and backoff of the rate (dB)")
        panel.set_ylabel("packets lost (%)")
        row.named([formula, *legend_lines(unjoined)])
    return figure, over_how_many(table["seeds"])


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
