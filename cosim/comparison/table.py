"""A comparison as tables of text: what groups reached, and their differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cosim.comparison.estimate import Estimate
from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.comparison.left_out import shortened
from cosim.comparison.measures import Measure
from cosim.comparison.questions import AnswerDifference, by_question
from cosim.comparison.twins import differing
from cosim.scenario.reading.one_line import shorten

# A number that is not 0 shows so many significant digits.
_SIGNIFICANT = 3
_MOST_DIGITS = 6


class Cell(NamedTuple):
    """A cell is a text in a table, which may stand out.

    text: a number with its interval, a name or a dash.
    bold: whether it stands out as better than all others of its column.
    """

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table has a row a group, or a pair of groups.

    title: empty where the page needs none.
    heads: of the columns.
    rows: the cells of each row, one a head.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def tables(comparison: Comparison) -> list[Table]:
    """A row a group; the differences to the first; the differences of each to its twin."""
    groups, measures = comparison.groups, told(comparison)
    several = any(len(group.runs) > 1 for group in groups)
    columns = [[Cell(group.label) for group in groups]]
    columns.append([Cell(str(len(group.runs))) for group in groups])
    for measure in measures:
        cells = _cells([group.estimate(measure.name) for group in groups], measure)
        cells = [_counted(*pair, measure) for pair in zip(cells, groups, strict=True)]
        best = [_stands_out(group, groups, measure) for group in groups]
        columns.append([Cell(*pair) for pair in zip(cells, best, strict=True)])
    heads = ["method", "seeds", *(measure.head for measure in measures)]
    parts = [_table("mean over seeds" if several else "", heads, columns)]
    if len(groups) > 1:
        title = f"difference to {groups[0].label}, paired by seed"
        parts.append(_differences(title, [(group, groups[0]) for group in groups[1:]], measures))
    if pairs := [(group, group.twin) for group in groups if group.twin is not None]:
        parts.append(_differences("difference to its twin, paired by seed", pairs, measures))
    return parts


def told(comparison: Comparison) -> list[Measure]:
    """The measures that any run has: an accuracy without learning takes no room."""
    groups = comparison.groups
    return [
        measure
        for measure in comparison.measures
        if any(group.reaching(measure.name) for group in groups)
    ]


def sentences(comparison: Comparison) -> list[str]:
    """What the tables mean and lack."""
    groups = comparison.groups
    lines = []
    if any(len(group.runs) > 1 for group in groups):
        lines.append("±: half of the 95 % interval over seeds (Student's t)")
    pairs = [(group, groups[0]) for group in groups[1:]]
    twins = [(group, group.twin) for group in groups if group.twin is not None]
    for group, twin in twins:
        keys = ", ".join(
            f"{path} {shorten(str(own), 30)} (twin: {shorten(str(others), 30)})"
            for path, (own, others) in differing(group, twin).items()
        )
        lines.append(f"{group.label} and its twin differ in {keys}")
    for n, (group, other) in enumerate([*pairs, *twins]):
        line = answers_in_words(group, other, other.label if n < len(pairs) else "its twin")
        lines += [] if line is None else [line]
    return [*lines, *shortened(comparison.notes)]


def answers_in_words(group: Group, other: Group, name: str) -> str | None:
    """The difference by seed and question of a group to another, which is called so, as a
    sentence; None where one of them kept no answers."""
    difference = by_question(group, other)
    if difference is None or isinstance(difference, str):
        return difference
    return in_words(group.label, name, difference, group.difference(other, "accuracy"))


def in_words(
    label: str, other: str, difference: AnswerDifference, by_seed: Estimate | None = None
) -> str:
    """The difference by seed and question as a sentence, and whether it tells the two apart.

    by_seed: the same difference with its interval over seeds.
    """
    questions = f"{difference.questions} questions"
    over = f"{difference.seeds} seeds × {questions}"
    if difference.seeds == 1:
        over = f"{questions} of one seed, which says nothing of other seeds"
    bounds = _points(difference.low, difference.high)
    return (
        f"{label} minus {other}: {_point(difference.mean)} points, 95 % from {bounds} over {over} "
        f"(paired bootstrap): {_verdict(difference, by_seed)}"
    )


def _verdict(difference: AnswerDifference, by_seed: Estimate | None) -> str:
    """What both intervals say. That over seeds counts all that varies between them and knows how
    few they are; the bootstrap draws few seeds again and again, and is too sure of them."""
    apart = not difference.low <= 0.0 <= difference.high
    if by_seed is None or by_seed.half_width is None:
        return f"{'told apart' if apart else 'not told apart'} on these questions"
    low, high = by_seed.interval()
    apart_by_seed = not low <= 0.0 <= high
    if apart == apart_by_seed:
        return "told apart" if apart else "not told apart"
    surer, other = ("questions", "seeds") if apart else ("seeds", "questions")
    return f"{surer} tell them apart, {other} do not (over seeds alone from {_points(low, high)})"


def _points(low: float, high: float) -> str:
    return f"{_point(low)} to {_point(high)}"


def _point(share: float) -> str:
    """A share in points, with a minus sign that cannot be taken for a dash."""
    return f"{100 * share:z.1f}".replace("-", "−")


def _differences(
    title: str, pairs: Sequence[tuple[Group, Group]], measures: Sequence[Measure]
) -> Table:
    """Every group minus the other of its pair, over the seeds that both have."""
    compared = [measure for measure in measures if measure.compared]
    counts = [sum(seed in other.runs for seed in group.runs) for group, other in pairs]
    columns = [[Cell(group.label) for group, _ in pairs], [Cell(str(count)) for count in counts]]
    for measure in compared:
        estimates = [group.difference(other, measure.name) for group, other in pairs]
        columns.append([Cell(text) for text in _cells(estimates, measure, "+")])
    return _table(title, ["method", "pairs", *(measure.head for measure in compared)], columns)


def _table(title: str, heads: Sequence[str], columns: Sequence[Sequence[Cell]]) -> Table:
    return Table(title, heads, list(zip(*columns, strict=True)))


def _stands_out(group: Group, groups: Sequence[Group], measure: Measure) -> bool:
    """Whether a group is better than every other, and no interval of these differences holds 0."""
    for other in groups:
        if other is group:
            continue
        difference = group.difference(other, measure.name)
        if difference is None or difference.half_width is None:
            return False
        low, high = difference.interval()
        if not (low > 0 if measure.more_is_better else high < 0):
            return False
    return len(groups) > 1


def _cells(estimates: Sequence[Estimate | None], measure: Measure, sign: str = "") -> list[str]:
    """One column, all of it with as many digits as its smallest number needs."""
    sizes = [abs(estimate.mean) for estimate in estimates if estimate is not None and estimate.mean]
    digits = measure.digits
    if sizes and not measure.rate:
        needed = _SIGNIFICANT - 1 - math.floor(math.log10(min(sizes)))
        digits = min(_MOST_DIGITS, max(digits, needed))
    return [_cell(estimate, digits, measure, sign) for estimate in estimates]


def _counted(text: str, group: Group, measure: Measure) -> str:
    """The cell of a group; where some of its runs lack the figure, how many have it, since a mean
    would be that of the lucky ones."""
    having = group.reaching(measure.name)
    return f"{having} of {len(group.runs)}" if 0 < having < len(group.runs) else text


def _cell(estimate: Estimate | None, digits: int, measure: Measure, sign: str) -> str:
    if estimate is None:
        return "–"
    text = f"{estimate.mean:{sign},.{digits}f}"
    if estimate.half_width is None:
        return text
    if measure.rate:  # whose interval ends where no share of anything can be
        bounds = bounds_of(measure, difference=bool(sign))
        interval = estimate.interval(*bounds)
        if interval != estimate.interval():
            low, high = (f"{end:{sign},.{digits}f}" for end in interval)
            return f"{text} ({low} to {high})"
    return f"{text} ±{estimate.half_width:,.{digits}f}"


def bounds_of(measure: Measure, *, difference: bool = False) -> tuple[float, float]:
    """What a measure, or a difference in it, lies between."""
    if not measure.rate:
        return -math.inf if difference else 0.0, math.inf
    return (-1.0 if difference else 0.0), 1.0
