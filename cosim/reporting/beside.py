"""Several runs beside each other: means over seeds, and differences seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cosim.comparison.estimate import Estimate
from cosim.comparison.groups import Comparison, compare
from cosim.comparison.left_out import shortened
from cosim.comparison.measures import Measure
from cosim.comparison.table import answers_in_words, bounds_of
from cosim.errors import RunDirectoryError
from cosim.reporting.markup import Markup, table, tag
from cosim.reporting.quantity import exact, rounded
from cosim.trace.reader import Run

# Figure, head of its column, digits after the point where it is told to so many.
_FIGURES = (
    ("accuracy", "accuracy", 3),
    ("best", "best", 3),
    ("simulated_s", "seconds", None),
    ("energy_j", "joules", None),
    ("mbit", "Mbit on the air", None),
    ("missed", "share not in time", 3),
)


def comparison_of(
    runs: Sequence[Run], notes: Sequence[str], called: Mapping[Path, str] | None = None
) -> Comparison | None:
    """The comparison of the runs that are completed; None where none is."""
    try:
        return compare(runs, notes=notes, called=called)
    except RunDirectoryError:
        if any(run.manifest.get("status") == "completed" for run in runs):
            raise
        return None


def comparison_section(comparison: Comparison) -> Markup:
    """A row a group of runs, and under it the differences to the first, paired by seed, and of
    their answers by seed and question."""
    groups = comparison.groups
    figures = [one for one in _FIGURES if any(group.estimate(one[0]) for group in groups)]
    heads = [head for _, head, _ in figures]
    known = {measure.name: measure for measure in comparison.measures}
    rows = [
        [
            group.label,
            ", ".join(map(str, group.runs)),
            *(_cell(group.estimate(name), known[name], digits) for name, _, digits in figures),
        ]
        for group in groups
    ]
    parts = [table(("", "seeds", *heads), rows)]
    if len(groups) > 1:
        first, *others = groups
        differences = [
            [
                group.label,
                str(sum(seed in first.runs for seed in group.runs)),
                *(
                    _cell(group.difference(first, name), known[name], digits, sign="+")
                    for name, _, digits in figures
                ),
            ]
            for group in others
        ]
        parts.append(tag("h3", f"Difference to {first.label}, paired by seed"))
        parts.append(table(("", "pairs", *heads), differences, class_="differences"))
        answers = (answers_in_words(group, first, first.label) for group in others)
        parts += [tag("p", line, class_="note") for line in answers if line is not None]
    if any(len(group.runs) > 1 for group in groups):
        words = "±: half of the 95 % interval over seeds (Student's t)."
        parts.append(tag("p", words, class_="note"))
    parts += [tag("p", note, class_="note") for note in shortened(comparison.notes)]
    return tag("section", tag("h2", "Beside each other"), parts, class_="beside")


def _cell(
    estimate: Estimate | None, measure: Measure, digits: int | None, sign: str = ""
) -> Markup | str:
    """A mean and half of its interval, or both ends where a share ends before the interval does."""
    if estimate is None:
        return "–"

    def told(value: float) -> str:
        return rounded(value) if digits is None else f"{value:z.{digits}f}".replace("-", "−")

    def signed(value: float) -> str:
        return (sign if value > 0 else "") + told(value)

    mean = exact(estimate.mean, signed(estimate.mean))
    if estimate.half_width is None:
        return tag("span", mean)
    interval = estimate.interval(*bounds_of(measure, difference=bool(sign)))
    if measure.rate and interval != estimate.interval():
        low, high = map(signed, interval)
        return tag("span", mean, f" ({low} to {high})")
    return tag("span", mean, f" ± {told(estimate.half_width)}")
