"""The share of transfers that miss Γ, against the margin above Lemma 1's power and the speed.

python analysis/deadline_margin.py --out analysis/results/deadline_margin

Runs scenarios/lemma1_margin.yaml over margins, speeds, seeds and both kinds of channel knowledge,
and writes OUT.csv and OUT.png. About two minutes on one core.

The dashed line is the closed form for a Γ of very many coherence times and no drift of the
distance. The transfer then runs at the ergodic rate C(SNR) and needs the mean SNR γ* with
C(γ*) = x = Q·n/(W·Γ). Lemma 1 with margin m and the gain g at the start gives m·(2^x − 1)/g, so
P(miss) = P(g > m·(2^x − 1)/γ*) = exp(−m·(2^x − 1)/γ*) over g ~ Exp(1). From the mean gain (g = 1)
every transfer misses below the margin γ*/(2^x − 1), and none above it.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from intervals import over_how_many
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t as student

import cosim
from cosim.methods.topology.random import RandomGraph
from cosim.physics.fading import coherence_time_s, doppler_hz, effective_doppler_hz
from cosim.physics.power import spectral_efficiency_needed
from cosim.physics.rate import ergodic_efficiency_bit_s_hz
from cosim.plotting.drawing import Drawing
from cosim.plotting.marks import aside_pt, draw_marks
from cosim.plotting.style import STYLES, Style, foot, legend_lines, sheet
from cosim.plotting.ticks import number_axis

SCENARIO = Path(__file__).parent.parent / "scenarios" / "lemma1_margin.yaml"
KNOWLEDGE = {
    "instantaneous": "power from h at the start of the transfer",
    "mean": "power from the mean of h over fading",
}
MARGINS_DB = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 9.0)
SPEEDS_M_S = (0.5, 1.5, 5.0, 15.0)


def share_missed(
    knowledge: str, speed_m_s: float, margin_db: float, seed: int
) -> dict[str, float | str]:
    """One run: its transfers, those that missed Γ, and those of senders that p_max held back."""
    overrides = [
        f"seed={seed}",
        f"radio.power.channel_knowledge={knowledge}",
        f"radio.power.margin_db={margin_db}",
        f"devices.0.mobility.speed_m_s=[{speed_m_s}, {speed_m_s}]",
        "trace.positions_every_s=1000",
    ]
    scenario = cosim.load_scenario(SCENARIO, overrides)
    with tempfile.TemporaryDirectory() as folder:
        run = cosim.run(scenario, out=Path(folder) / "run")
        sent = len(run.transfers)
        missed = int((run.transfers["outcome"] != "delivered").sum())
        held_back = int(run.events["cause"].isin(["infeasible_power", "margin_reduced"]).sum())
    fastest = effective_doppler_hz(*[doppler_hz(speed_m_s, scenario.radio.carrier_hz)] * 2)
    return {
        "channel_knowledge": knowledge,
        "speed_m_s": speed_m_s,
        "deadline_per_coherence_time": scenario.radio.deadline_s / float(coherence_time_s(fastest)),
        "margin_db": margin_db,
        "transfers": sent,
        "missed": missed,
        "p_max_reached": held_back,
    }


def over_seeds(runs: pd.DataFrame) -> pd.DataFrame:
    """Each cell's share with a 95 % interval over the seeds, Student's t, within 0 and 1.

    Seeds, because transfers of one run are no independent trials: a pair's two directions meet
    the same fading.
    """
    cells = runs.assign(share_missed=runs["missed"] / runs["transfers"]).groupby(
        ["channel_knowledge", "speed_m_s", "deadline_per_coherence_time", "margin_db"], sort=False
    )
    shares = cells[["transfers", "missed", "p_max_reached"]].sum()
    shares.insert(0, "seeds", cells.size())
    mean, spread = cells["share_missed"].mean(), cells["share_missed"].std()
    half = student.ppf(0.975, shares["seeds"] - 1) * spread / np.sqrt(shares["seeds"])
    shares = shares.assign(
        share_missed=mean, low=(mean - half).clip(lower=0), high=(mean + half).clip(upper=1)
    )
    return shares.reset_index()


def long_deadline(
    knowledge: str, margin_db: NDArray[np.float64], efficiency: float
) -> NDArray[np.float64]:
    """The share that misses a Γ of very many coherence times, x = `efficiency` in bit/s/Hz."""
    start_snr: NDArray[np.float64] = 10.0 ** (margin_db / 10.0) * (2.0**efficiency - 1.0)
    needed: float = brentq(lambda snr: ergodic_efficiency_bit_s_hz(snr) - efficiency, 1e-6, 1e6)
    if knowledge == "mean":
        return (start_snr < needed).astype(np.float64)
    missed: NDArray[np.float64] = np.exp(-start_snr / needed)
    return missed


def draw(shares: pd.DataFrame) -> Figure:
    """A panel for each kind of knowledge, a line for each speed."""
    scenario = cosim.load_scenario(SCENARIO)
    learning, topology = scenario.learning, scenario.method.topology
    assert learning.model == "none"
    assert isinstance(topology, RandomGraph)
    efficiency = float(
        spectral_efficiency_needed(
            learning.payload_bits,
            topology.degree,
            scenario.radio.bandwidth_hz,
            scenario.radio.deadline_s,
        )
    )
    figure, (row,) = sheet([3.4], len(KNOWLEDGE), sharey=True)
    grey: Any = {"color": "0.35", "linewidth": 1.0, "linestyle": "--"}
    names: dict[str, Style] = {}
    styles = STYLES[: len(SPEEDS_M_S)]
    for panel, (knowledge, title) in zip(row.panels, KNOWLEDGE.items(), strict=True):
        own = shares[shares["channel_knowledge"] == knowledge]
        lines = own.groupby("speed_m_s")
        for place, (style, (speed, line)) in enumerate(zip(styles, lines, strict=True)):
            ratio = line["deadline_per_coherence_time"].iloc[0]
            names[f"{speed:g} m/s: Γ is {ratio:.0f} coherence times"] = style
            at, shown = line["margin_db"].tolist(), line["share_missed"]
            beside = aside_pt(place, len(SPEEDS_M_S))
            draw_marks(panel, at, shown, line["low"], line["high"], style, beside)
        margins = np.linspace(0.0, max(MARGINS_DB), 400)
        panel.plot(margins, long_deadline(knowledge, margins, efficiency), **grey)
        panel.set_title(title)
        panel.set_xlabel("margin above Lemma 1's power (dB)")
        number_axis(panel, MARGINS_DB)
    row.panels[0].set_ylabel("share of transfers that miss Γ")
    row.panels[0].set_ylim(-0.02, 1.02)
    row.named([*legend_lines(names), Line2D([], [], label="closed form, Γ ≫ T_c", **grey)])
    foot(figure, f"{over_how_many(shares['seeds'])} Marks side by side belong to one margin.")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="path without an ending")
    parser.add_argument("--seeds", type=int, default=8, help="how many, at least 2")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds: an interval needs at least 2")
    seeds = range(1, arguments.seeds + 1)
    runs = [
        share_missed(knowledge, speed_m_s, margin_db, seed)
        for knowledge, speed_m_s, margin_db, seed in product(
            KNOWLEDGE, SPEEDS_M_S, MARGINS_DB, seeds
        )
    ]
    shares = over_seeds(pd.DataFrame(runs))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    shares.to_csv(arguments.out.with_suffix(".csv"), index=False, float_format="%.4g")
    Drawing(shares, lambda: draw(shares)).write(arguments.out.with_suffix(".png"))
    print(shares.to_string(index=False))


if __name__ == "__main__":
    main()
