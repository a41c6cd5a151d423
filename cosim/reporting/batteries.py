"""What is left in the batteries, at the end of each round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.reporting.markup import Markup, tag
from cosim.reporting.quantity import rounded
from cosim.reporting.svg import Chart, ChartAxis, legend
from cosim.trace.reader import Run

FloatArray = NDArray[np.float64]
# More lines than this hide each other.
_MOST_LINES = 40
_COLOURS = 8
# Above this share nobody asks for a picture.
_FULL = 0.95


@dataclass(frozen=True)
class Charge:
    """A charge is what a device's battery held over a run.

    device: whose it is.
    times_s: the start and the ends of the device's rounds, s.
    shares: of its first charge, at these times.
    """

    device: int
    times_s: FloatArray
    shares: FloatArray


def charges(run: Run) -> list[Charge]:
    """The charges of the devices that have a battery, the emptiest first."""
    full = dict(zip(run.devices["device"], run.devices["battery_j"], strict=True))
    found = []
    for device, rows in run.rounds.sort_values("end_s", kind="stable").groupby("device"):
        first = full.get(device, np.nan)
        if first > 0 and rows["battery_j"].notna().all():
            times = np.concatenate([[0.0], rows["end_s"].to_numpy()])
            shares = np.concatenate([[1.0], rows["battery_j"].to_numpy() / first])
            found.append(Charge(int(device), times, shares))
    return sorted(found, key=lambda charge: (charge.shares[-1], charge.device))


def batteries_section(run: Run) -> Markup | None:
    """A line a battery, or a sentence where all are nearly full; None without batteries."""
    found = charges(run)
    if not found:
        return None
    lowest = found[0]
    left = rounded(100 * lowest.shares[-1])
    sentence = f"Device {lowest.device} has least left: {left} % of its first charge."
    heading = tag("h2", "Batteries")
    if lowest.shares[-1] > _FULL:
        return tag("section", heading, tag("p", sentence))
    shown = found[:_MOST_LINES]
    end_s = max(charge.times_s[-1] for charge in shown)
    chart = Chart(
        ChartAxis(0, end_s, "simulated seconds"), ChartAxis(0, 100, "% of the first charge")
    )
    lines = [
        chart.steps(f"k{n % _COLOURS}", charge.times_s.tolist(), (100 * charge.shares).tolist())
        for n, charge in enumerate(shown)
    ]
    if len(shown) <= _COLOURS:
        keys = legend((f"k{n}", f"device {one.device}") for n, one in enumerate(shown))
    else:
        keys = tag("p", f"{len(shown)} of {len(found)} batteries, the emptiest.", class_="note")
    return tag(
        "section",
        heading,
        tag("p", sentence, " Each line steps where a round of the device ended."),
        tag("figure", chart.drawn("Charge over time", lines), class_="single"),
        keys,
    )
