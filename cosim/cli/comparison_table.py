"""Several runs as one table, and the differences between them seed by seed as another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cosim.comparison.groups import Comparison, Estimate

# Figure, head of its column, digits after the point.
_FIGURES = (
    ("accuracy", "accuracy", 3),
    ("best", "best", 3),
    ("forgotten", "forgotten", 3),
    ("simulated_s", "time s", 1),
    ("energy_j", "energy J", 0),
    ("mbit", "air Mbit", 0),
    ("missed", "missed", 3),
)
_COMPARED = ("accuracy", "simulated_s", "energy_j", "mbit", "missed")
_LONGEST_LABEL = 40
_GAP = 3  # what the table puts around a cell


class _Column(NamedTuple):
    head: str
    cells: Sequence[str]

    @property
    def width(self) -> int:
        return max(map(len, (self.head, *self.cells))) + _GAP


def print_comparison(comparison: Comparison, target: float | None, console: Console) -> None:
    """A row a group, differences to the first group, and what could not be counted."""
    groups = comparison.groups
    several = any(len(group.runs) > 1 for group in groups)
    figures = list(_FIGURES)
    if target is not None:
        figures.append(("to_target_s", f"s to {target:g}", 1))
        figures.append(("to_target_j", f"J to {target:g}", 0))
    # What no run has, such as an accuracy without learning, takes no room.
    figures = [entry for entry in figures if any(group.estimate(entry[0]) for group in groups)]
    columns = [_Column("method", [group.label for group in groups])]
    columns.append(_Column("seeds", [str(len(group.runs)) for group in groups]))
    for figure, head, digits in figures:
        columns.append(_Column(head, [_cell(g.estimate(figure), digits) for g in groups]))
    _print("mean over seeds" if several else "", columns, console)
    if len(groups) > 1:
        differences = [entry for entry in figures if entry[0] in _COMPARED]
        title = f"difference to {groups[0].label}, paired by seed"
        _print(title, _paired(comparison, differences), console)
    if several:
        console.print("±: half of the 95 % interval over seeds (Student's t)", highlight=False)
    for note in comparison.notes:
        console.print(note, highlight=False, soft_wrap=True)


def _paired(comparison: Comparison, figures: Sequence[tuple[str, str, int]]) -> list[_Column]:
    """Every other group minus the first one, over the seeds that both have."""
    first, *others = comparison.groups
    pairs = [str(sum(seed in first.runs for seed in group.runs)) for group in others]
    columns = [_Column("method", [group.label for group in others]), _Column("pairs", pairs)]
    for figure, head, digits in figures:
        cells = [_cell(group.difference(first, figure), digits, "+") for group in others]
        columns.append(_Column(head, cells))
    return columns


def _print(title: str, columns: Sequence[_Column], console: Console) -> None:
    """One table, or several below each other where the terminal is too narrow for one."""
    label, count, *figures = columns
    width = min(label.width, _LONGEST_LABEL + _GAP)
    for part in _parts(figures, console.width - width - count.width):
        table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left")
        table.add_column(label.head, width=width - _GAP, overflow="fold")
        for column in (count, *part):
            table.add_column(column.head, justify="right", no_wrap=True)
        for row in zip(*(column.cells for column in (label, count, *part)), strict=True):
            table.add_row(*row)
        console.print(table)


def _parts(columns: Sequence[_Column], room: int) -> Iterator[list[_Column]]:
    part: list[_Column] = []
    for column in columns:
        if part and sum(member.width for member in (*part, column)) > room:
            yield part
            part = []
        part.append(column)
    yield part


def _cell(estimate: Estimate | None, digits: int, sign: str = "") -> str:
    if estimate is None:
        return "–"
    text = f"{estimate.mean:{sign},.{digits}f}"
    return text if estimate.half_width is None else f"{text} ±{estimate.half_width:,.{digits}f}"
