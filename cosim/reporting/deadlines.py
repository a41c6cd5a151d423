"""How near to their deadlines transmissions came, and how well they were heard at a distance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cosim.reporting.markup import Markup, tag
from cosim.reporting.svg import Chart, ChartAxis, legend
from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome

_BINS = 20
# A picture of more dots than this is a cloud, and weighs more than it says.
MOST_DOTS = 2000


def radio_section(run: Run) -> Markup | None:
    """A histogram of durations over Γ, a scatter of SNR over distance; None without transfers."""
    if not len(run.transfers):
        return None
    there = [outcome for outcome in TransferOutcome if (run.transfers["outcome"] == outcome).any()]
    counts = run.transfers["outcome"].value_counts()
    scatter, note = _scatter(run.transfers)
    return tag(
        "section",
        tag("h2", "The air"),
        legend((str(outcome), f"{outcome} ({counts[outcome]})") for outcome in there),
        tag(
            "div",
            tag("figure", tag("figcaption", "Duration over the deadline Γ"), _histogram(run)),
            tag("figure", tag("figcaption", "Signal-to-noise ratio over distance"), scatter),
            class_="pair",
        ),
        tag("p", note, class_="note") if note else None,
    )


def used_of_deadline(transfers: pd.DataFrame) -> pd.Series:
    """The duration of each transfer over what it had until its deadline."""
    had = transfers["deadline_at_s"] - transfers["start_s"]
    used = (transfers["end_s"] - transfers["start_s"]) / had
    # Exactly at the deadline counts as in time, and rounding shall not move it past.
    return used.where((used - 1).abs() > 1e-9, 1.0)


def counted_by_use(transfers: pd.DataFrame) -> dict[str, list[int]]:
    """For each outcome the transfers in each twentieth of Γ, and those beyond it at the end."""
    used = used_of_deadline(transfers)
    edges = [*np.linspace(0, 1, _BINS + 1), np.inf]
    counts = {}
    for outcome in TransferOutcome:
        of_it = used[(transfers["outcome"] == outcome) & used.notna()]
        # The last twentieth holds Γ itself.
        inside = np.histogram(of_it[of_it <= 1], edges[:-1])[0].tolist()
        counts[str(outcome)] = [*map(int, inside), int((of_it > 1).sum())]
    return counts


def _histogram(run: Run) -> Markup:
    counts = counted_by_use(run.transfers)
    height = max(map(sum, zip(*counts.values(), strict=True)))
    beyond = any(column[-1] for column in counts.values())
    width = 1 + (2 / _BINS if beyond else 0)
    chart = Chart(
        ChartAxis(
            0, width, "share of Γ used" + (" (right of the line: beyond Γ)" if beyond else "")
        ),
        ChartAxis(0, max(height, 1), "transmissions"),
    )
    columns = []
    for n in range(_BINS + 1):
        parts = [(name, float(column[n])) for name, column in counts.items()]
        low = n / _BINS if n < _BINS else 1 + 0.5 / _BINS
        columns.append(chart.stacked(low, low + 1 / _BINS, parts))
    edge = chart.at_x(1)
    line = tag("line", x1=edge, x2=edge, y1=chart.at_y(0), y2=chart.at_y(height), class_="mark")
    return chart.drawn("How much of Γ transmissions used", columns, line)


def _scatter(transfers: pd.DataFrame) -> tuple[Markup | None, str | None]:
    """The scatter, and a sentence if it holds a sample."""
    known = transfers[np.isfinite(transfers["mean_snr_db"]) & (transfers["distance_m"] > 0)]
    if known.empty:
        return None, None
    lost = known[known["outcome"] != TransferOutcome.DELIVERED]
    rest = known[known["outcome"] == TransferOutcome.DELIVERED]
    kept_lost, kept_rest = thinned(lost, MOST_DOTS // 2), thinned(rest, MOST_DOTS // 2)
    near, far = known["distance_m"].min(), known["distance_m"].max()
    weak, strong = known["mean_snr_db"].min(), known["mean_snr_db"].max()
    chart = Chart(
        ChartAxis(near * 0.9, far * 1.1, "distance in m", logarithmic=True),
        ChartAxis(5 * np.floor(weak / 5), 5 * np.ceil(strong / 5 + 1e-9), "mean SNR in dB"),
    )
    dots = []
    for outcome in TransferOutcome:
        of_it = pd.concat([kept_rest, kept_lost]).query("outcome == @outcome")
        if len(of_it):
            places = zip(of_it["distance_m"], of_it["mean_snr_db"], strict=True)
            dots.append(chart.points(str(outcome), places))
    drawn = len(kept_lost) + len(kept_rest)
    note = None
    if drawn < len(known):
        note = (
            f"Dots: {drawn} of {len(known)} transmissions, evenly over the run; {len(kept_lost)} "
        )
        note += f"of the {len(lost)} that were not in time."
    return chart.drawn("Mean SNR over distance", dots), note


def thinned(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, evenly over the table."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, most).astype(int)]
