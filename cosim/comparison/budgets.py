"""Budgets of seconds, joules or bits: how far a run had come when it had spent so much."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import pandas as pd

from cosim.errors import UsageError

_PREFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
# Unit → the column of `evaluated_rounds`, and how many of the unit one of its numbers is.
_COLUMNS = {"s": ("time_s", 1.0), "J": ("energy_j", 1.0), "bit": ("mbit", 1e6)}
_PATTERN = re.compile(
    r"(?P<number>[0-9.]+(?:e[+-]?[0-9]+)?)\s*(?P<prefix>[mkMGT]?)(?P<unit>s|J|bit)"
)


class Budget(NamedTuple):
    """A budget is so much of a cost.

    word: as it was written.
    column: the cost, a column of `evaluated_rounds`.
    most: in that column's unit.
    """

    word: str
    column: str
    most: float

    @property
    def name(self) -> str:
        """Of the figure: the accuracy at this budget."""
        return f"accuracy_at_{self.word}"

    def accuracy(self, points: pd.DataFrame) -> float | None:
        """The last accuracy that was measured when no more than this had been spent; None where
        none was. points: `evaluated_rounds`."""
        within = points[points[self.column] <= self.most]
        return None if within.empty else float(within["accuracy"].iloc[-1])


def read_budgets(text: str) -> list[Budget]:
    """Budgets such as `100s,4kJ,500Mbit`; raises UsageError for what is none."""
    budgets = []
    for part in text.split(","):
        word = part.strip()
        match = _PATTERN.fullmatch(word)
        number = _number(match["number"]) if match else None
        if match is None or number is None:
            raise UsageError(
                f"--budget: {word!r} is no budget; expected seconds, joules or bits, such as "
                "100s,4kJ,500Mbit"
            )
        column, per_unit = _COLUMNS[match["unit"]]
        most = number * _PREFIXES[match["prefix"]] / per_unit
        budgets.append(Budget(re.sub(r"\s", "", word), column, most))
    return list(dict.fromkeys(budgets))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
