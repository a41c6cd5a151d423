"""The words at the foot of a figure: seeds, how many of what, and which are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cosim.comparison.group import Group
from cosim.comparison.measures import Measure
from cosim.scenario.reading.one_line import shorten
from cosim.trace.schema import HEADLINE_METRICS

_AXES = {"missed": "share of transmissions not in time"}
_MOST_SEEDS_LISTED = 8
_LONGEST_WARNING = 300


def on_axis(measure: Measure) -> str:
    """The title of a measure's axis, where there is more room than over a column."""
    return _AXES.get(measure.name, measure.head)


def over_seeds(groups: Sequence[Group]) -> str:
    """What a mark and its bar are, and over which seeds."""
    counts = [len(group.runs) for group in groups]
    seeds = listed(seed for group in groups for seed in group.runs)
    if max(counts, default=0) < 2:
        return f"One run each (seed {seeds}): no interval."
    alone = ", no bar where there is one" if min(counts) == 1 else ""
    return f"Mean and 95 % interval (Student's t) over n = {span(counts)} seeds ({seeds}){alone}."


def questions(groups: Sequence[Group]) -> str:
    """How many questions a device is asked of a task at an evaluation."""
    counts: list[int] = []
    for group in groups:
        for run in group.runs.values():
            scores = run.evaluations
            counts += scores.loc[scores["metric"].isin(HEADLINE_METRICS), "n"].tolist()
    return f"{span(counts)} questions a task and device." if counts else ""


def warning(notes: Sequence[str]) -> str:
    """What is missing, for the figure itself, which may go round without its notes."""
    left_out = sum(note.startswith("left out, ") for note in notes)
    lacking: dict[str, list[str]] = {}
    for note in notes:
        if note.startswith(("missing seed", "not drawn, ", "evaluations ")):
            what, _, label = note.partition(": ")
            lacking.setdefault(what, []).append(label)
    told = [f"{what}: {', '.join(labels)}" for what, labels in lacking.items()]
    if left_out:
        told.insert(0, f"{left_out} run{'s' if left_out > 1 else ''} left out")
    return shorten(f"Incomplete: {'; '.join(told)}.", _LONGEST_WARNING) if told else ""


def span(numbers: Iterable[int]) -> str:
    """'3', or '2 to 3'."""
    known = sorted(set(map(int, numbers)))
    return str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"


def listed(numbers: Iterable[int]) -> str:
    """'1 to 5', or '1, 3, 4'; how many where there are too many to list."""
    known = sorted(set(map(int, numbers)))
    if len(known) > 2 and known == list(range(known[0], known[-1] + 1)):
        return f"{known[0]} to {known[-1]}"
    if len(known) > _MOST_SEEDS_LISTED:
        return f"{len(known)} between {known[0]} and {known[-1]}"
    return ", ".join(map(str, known))
