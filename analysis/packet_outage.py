"""Packets lost of those sent once, against the power margin: measured, and Rayleigh's outage.

python analysis/packet_outage.py runs/packet_outage --out analysis/results/packet_outage

SWEEP varies margin, which is the rate's backoff too, and packet size, such as
scenarios/rivals/packet_outage.sweep.yaml. Reads its traces and writes OUT.csv and OUT.png. The line
is 1 − exp(−1/margin), of packets during which the channel stands still; intervals are 95 %,
Student's t over seeds.
"""

from __future__ import annotations

from typing import Any

import look
import numpy as np
import pandas as pd
from intervals import over_seeds
from measures import scenario_of
from sweeps import Sweep, script

from cosim.errors import SweepError
from cosim.physics.decibel import db_to_ratio
from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.packets import block_count
from cosim.physics.single_pass import decoding_snr, rayleigh_delivery
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


def draw(table: pd.DataFrame) -> Any:
    """The formula as a line, the measured shares as marks."""
    figure, grid = look.panels(1, 1, 3.6)
    panel = grid[0, 0]
    margins = np.linspace(table["margin_db"].min(), table["margin_db"].max(), 200)
    formula = "1 − exp(−1/margin), fades longer than packets"
    panel.plot(margins, 100 * outage(margins), color="0.3", linewidth=1.2, label=formula)
    sizes = sorted(set(table["packet_bits"]))
    for size, (marker, colour) in zip(
        sizes, zip("os^D", ("#0072B2", "#E69F00", "#009E73", "#D55E00"), strict=True), strict=False
    ):
        own = table[table["packet_bits"] == size]
        panel.errorbar(
            own["margin_db"],
            100 * own["lost"],
            yerr=100 * look.within_a_rate(own["lost"], own["lost_half"], 1.0),
            color=colour,
            marker=marker,
            markersize=5,
            linestyle="none",
            capsize=2,
            label=f"{size:,} bit: {own['coherence_times'].iloc[0]:.2g} coherence times",
        )
    panel.set_xlabel("margin above Lemma 1's power for Γ, and backoff of the rate (dB)")
    panel.set_ylabel("packets lost (%)")
    panel.set_title(f"mean over {look.listed(table['seeds'])} seeds, 95 % intervals")
    panel.legend(frameon=False)
    return figure


main = script(__doc__, table_of, draw, axes=AXES)


if __name__ == "__main__":
    main()
