"""What is compared: each figure with the head of its column and what is good in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cosim.comparison.budgets import Budget


class Measure(NamedTuple):
    """A measure is one figure of a run, as tables show it.

    name: of the figure.
    head: of its column.
    digits: after the point, at least.
    rate: whether it is a share of something, from 0 to 1.
    more_is_better: else less is.
    compared: whether differences in it are told.
    """

    name: str
    head: str
    digits: int
    rate: bool = False
    more_is_better: bool = False
    compared: bool = True


_ACCURACY = (
    Measure("accuracy", "accuracy", 3, rate=True, more_is_better=True),
    Measure("best", "best", 3, rate=True, more_is_better=True, compared=False),
    Measure("forgotten", "forgotten", 3, rate=True, compared=False),
)
_COSTS = (
    Measure("simulated_s", "time s", 1),
    Measure("energy_j", "energy J", 0),
    Measure("mbit", "air Mbit", 0),
    Measure("missed", "missed", 3, rate=True),
)


def measures(target: float | None = None, budgets: Sequence[Budget] = ()) -> list[Measure]:
    """The measures of a comparison, in their order."""
    columns = [*_ACCURACY]
    for budget in budgets:
        head = f"accuracy at {budget.word}"
        columns.append(Measure(budget.name, head, 3, rate=True, more_is_better=True))
    columns += _COSTS
    if target is not None:
        for name, unit, digits in (
            ("to_target_s", "s", 1), ("to_target_j", "J", 0), ("to_target_mbit", "Mbit", 0)
        ):  # fmt: skip
            columns.append(Measure(name, f"{unit} to {target:g}", digits, compared=False))
    return columns
