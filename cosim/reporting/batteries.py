"""What is left in the batteries, at the end of each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.reporting.markup import Markup, tag
from cosim.reporting.quantity import rounded
from cosim.reporting.svg import Chart, ChartAxis
from cosim.trace.reader import Run
from cosim.trace.schema import Cause, EventKind

FloatArray = NDArray[np.float64]
# More lines than this hide each other.
_MOST_LINES = 40
_COLOURS = 8
# Of a line and its gaps, px; each tells as many lines apart as there are colours.
_DASHES = ((), (7, 3), (2, 2), (10, 3, 2, 3), (3, 6))
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
    heading, sentence = tag("h2", "Batteries"), run_down(run, found)
    if found[0].shares[-1] > _FULL:
        return tag("section", heading, tag("p", sentence))
    shown = found[:_MOST_LINES]
    end_s = max(charge.times_s[-1] for charge in shown)
    chart = Chart(
        ChartAxis(0, end_s, "simulated seconds"), ChartAxis(0, 100, "% of the first charge")
    )
    lines = [
        chart.steps(
            f"k{n % _COLOURS}",
            charge.times_s.tolist(),
            (100 * charge.shares).tolist(),
            dashes=_DASHES[n // _COLOURS],
        )
        for n, charge in enumerate(shown)
    ]
    keys = tag("div", [_key(n, charge.device) for n, charge in enumerate(shown)], class_="legend")
    note = None
    if len(shown) < len(found):
        note = f"{len(shown)} of {len(found)} batteries, the emptiest."
    return tag(
        "section",
        heading,
        tag("p", sentence, " Each line steps where a round of the device ended."),
        tag("figure", chart.drawn("Charge over time", lines), class_="single"),
        keys,
        tag("p", note, class_="note") if note else None,
    )


def run_down(run: Run, found: Sequence[Charge]) -> str:
    """How many batteries ran out and when the first did; else, which has least left.

    found: their charges, the emptiest first.
    """
    events = run.events
    left = events[(events["kind"] == EventKind.LEAVE) & (events["cause"] == Cause.BATTERY_EMPTY)]
    ends_s = left.groupby("device")["time_s"].min().sort_values(kind="stable")
    lasting = [charge for charge in found if charge.device not in ends_s.index]
    sentences = []
    if len(ends_s):
        first, last = ends_s.index[0], ends_s.index[-1]
        later = f", the last, device {last}'s, at {rounded(ends_s.iloc[-1])} s"
        sentences.append(
            f"{len(ends_s)} of {len(found)} batteries ran out, the first, device {first}'s, at "
            f"{rounded(ends_s.iloc[0])} s{later if len(ends_s) > 1 else ''}."
        )
    if lasting:
        others = "Of the others, device" if sentences else "Device"
        kept = rounded(100 * lasting[0].shares[-1])
        # What is full in three digits is told by what is gone.
        used = rounded(100 * (1 - lasting[0].shares[-1]))
        told = f"has used most: {used}" if kept == "100" else f"has least left: {kept}"
        sentences.append(f"{others} {lasting[0].device} {told} % of its charge.")
    return " ".join(sentences)


def _key(number: int, device: int) -> Markup:
    """What a line looks like, and whose it is."""
    colour, dashes = f"var(--k{number % _COLOURS})", _DASHES[number // _COLOURS]
    stops, at = [], 0
    for place, length in enumerate(dashes or (1,)):
        stops.append(f"{'transparent' if place % 2 else colour} {at}px {at + length}px")
        at += length
    look = f"repeating-linear-gradient(90deg,{','.join(stops)})"
    sample = tag("i", style=f"width:2.2em;height:.25em;background:{look}")
    return tag("span", sample, f"device {device}")
