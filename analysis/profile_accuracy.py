"""How well a measured profile predicts the durations of jobs that it was not fitted to.

python analysis/profile_accuracy.py --out analysis/results/profile_accuracy

Times the jobs of `cosim profile` on this machine, and between them others of other batch sizes,
lengths, ranks and densities; fits a profile to the first alone, predicts the second as a run of
the simulator would, and writes OUT.csv and OUT.png. About three minutes for the quickstart's
model on two cores, which have to be left alone meanwhile.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

import cosim
from cosim.plotting.drawing import Drawing
from cosim.plotting.style import STYLES, Style, foot, legend_lines, sheet
from cosim.profiling.bench import Bench
from cosim.profiling.fit import fit
from cosim.profiling.jobs import ProfilingJob, profiling_jobs
from cosim.profiling.machine import machine_name
from cosim.profiling.measure import REPEATS, Timing, time_jobs
from cosim.profiling.write import measured_profile
from cosim.scenario.catalogue import catalogue
from cosim.scenario.profile import Profile

SCENARIO = Path(__file__).parent.parent / "scenarios" / "quickstart.yaml"
TARGET = 0.15
# Factors of the scenario's batch size, its rows' typical length and its rank; the density.
# No factor and no density is one of the jobs that the profile is fitted to.
HELD_OUT: tuple[tuple[float, float, float, float | None], ...] = (
    (0.375, 0.75, 0.75, 0.05),
    (0.75, 0.75, 0.25, 0.2),
    (1.5, 0.35, 1.5, 0.05),
    (0.75, 1.5, 0.75, 0.2),
    (0.375, 1.5, 0.25, 0.75),
    (1.5, 0.75, 0.75, 0.05),
    (0.375, 3, 1.5, 0.2),
    (0.75, 0.35, 0.75, 0.75),
    (0.375, 0.75, 0.25, None),
    (0.75, 1.5, 0.75, None),
    (1.5, 0.35, 1.5, None),
)
SERIES = {
    ("held out", False): (STYLES[0], "held out"),
    ("held out", True): (STYLES[1], "held out, with the choice of a mask"),
    ("fit", False): (Style("0.6", ".", ""), "fitted"),
    ("fit", True): (Style("0.6", "x", ""), "fitted, with the choice of a mask"),
}


def held_out_jobs(batch_size: int, tokens: int, rank: int) -> list[ProfilingJob]:
    """Jobs around a scenario's own that are none of the fitted ones."""
    jobs = [
        ProfilingJob(
            max(1, round(batches * batch_size)),
            max(2, round(lengths * tokens)),
            max(1, round(ranks * rank)),
            density,
        )
        for batches, lengths, ranks, density in HELD_OUT
    ]
    fitted = set(profiling_jobs(batch_size, tokens, rank))
    return [job for job in dict.fromkeys(jobs) if job not in fitted]


def rows(timings: list[Timing], part: str, profile: Profile) -> list[dict[str, object]]:
    """A row a timing, with the duration that the profile predicts."""
    return [
        {
            "part": part,
            "batch_size": timing.job.batch_size,
            "tokens": timing.job.tokens,
            "rank": timing.job.rank,
            "density": timing.job.density,
            "chooses_mask": timing.work.ranked > 0,
            "flop": timing.work.flop,
            "measured_s": timing.measured_s,
            "predicted_s": timing.measured_s * (1 + timing.error(profile)),
            "error": timing.error(profile),
        }
        for timing in timings
    ]


def draw(table: pd.DataFrame, machine: str) -> Figure:
    """Predicted against measured durations, with the band that is aimed at."""
    figure, (row,) = sheet([4.6], 1)
    (panel,) = row.panels
    low, high = 0.8 * table["measured_s"].min(), 1.25 * table["measured_s"].max()
    line = np.array([low, high])
    panel.fill_between(line, (1 - TARGET) * line, (1 + TARGET) * line, color="0.92")
    panel.plot(line, line, color="0.4", linewidth=1)
    names = dict[str, Style]()
    for (part, masked), (style, label) in SERIES.items():
        own = table[(table["part"] == part) & (table["chooses_mask"] == masked)]
        names[label] = style._replace(linestyle="")
        shape = {"markersize": 4.5, **names[label]._asdict()}
        panel.plot(own["measured_s"], own["predicted_s"], **shape)
    panel.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    halvings = 2.0 ** np.arange(np.ceil(np.log2(low)), np.floor(np.log2(high)) + 1)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(FixedLocator(halvings.tolist()))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    panel.set_xlabel("measured (s)")
    panel.set_ylabel("predicted by the fitted profile (s)")
    row.named([*legend_lines(names), Patch(color="0.92", label=f"±{TARGET:.0%}")])
    foot(figure, f"{machine}. A mark is a job; the line is a prediction without error.")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="path without an ending")
    parser.add_argument("--scenario", type=Path, default=SCENARIO, help="default: the quickstart")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of every job, at least 1")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("--repeats: at least 1")
    logging.basicConfig(level=logging.WARNING)
    bench = Bench(cosim.load_scenario(arguments.scenario))
    training, rank = bench.scenario.training, bench.scenario.adapter.rank
    own = (training.batch_size, bench.tokens, rank)
    fitted, held_out = profiling_jobs(*own), held_out_jobs(*own)
    # One after the other in turns, so that both parts meet the same machine.
    timings = time_jobs(bench, [*fitted, *held_out], arguments.repeats)
    seen = [timing for timing in timings if timing.job in set(fitted)]
    unseen = [timing for timing in timings if timing.job in set(held_out)]
    # The watts do not matter here.
    profile = measured_profile(fit(seen), catalogue()["laptop"], "measured")
    table = pd.DataFrame([*rows(seen, "fit", profile), *rows(unseen, "held out", profile)])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out.with_suffix(".csv"), index=False, float_format="%.4g")
    machine = machine_name(bench.base.device.type, bench.base.dtype)
    Drawing(table, lambda: draw(table, machine)).write(arguments.out.with_suffix(".png"))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"{machine}: {profile.peak_flop_s:.4g} FLOP/s, {profile.compute}")
    for part, of_part in table.groupby("part"):
        error = of_part["error"].abs()
        print(
            f"{part}: {len(error)} durations, |error| median {error.median():.1%}, "
            f"90th percentile {error.quantile(0.9):.1%}, largest {error.max():.1%}"
        )


if __name__ == "__main__":
    main()
