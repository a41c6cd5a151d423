"""A comparison as Python handles it: as tables of numbers, and as it shows itself."""

from __future__ import annotations

import math
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from cosim.comparison.estimate import Estimate
    from cosim.comparison.groups import Comparison

_UNITS = {"_s": "s", "_j": "J", "mbit": "Mbit"}


@dataclass(frozen=True, repr=False)
class Compared:
    """A comparison sets groups of runs beside each other; runs of a group differ in their seed
    alone.

    comparison: the groups themselves, with their runs.
    """

    comparison: Comparison

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a group: the mean of every figure over its seeds.

        `…_half_width` beside a figure is half of its 95 % interval, NaN for one seed.
        """
        from cosim.comparison.table import told

        groups = self.comparison.groups
        rows = [
            {"label": group.label, "method": group.method, "seeds": len(group.runs)}
            | _numbers({one.name: group.estimate(one.name) for one in told(self.comparison)})
            for group in groups
        ]
        return _frame(rows)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """A row each group but the first: its figures minus the first's, paired by seed."""
        from cosim.comparison.table import told

        first, *others = self.comparison.groups
        compared = [measure.name for measure in told(self.comparison) if measure.compared]
        rows = [
            {"label": group.label, "pairs": sum(seed in first.runs for seed in group.runs)}
            | _numbers({name: group.difference(first, name) for name in compared})
            for group in others
        ]
        return _frame(rows)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run: label, method, seed, every figure, directory."""
        return _frame(self.comparison.rows())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what was left out, or could not be counted."""
        return tuple(self.comparison.notes)

    def written(self, format: Literal["table", "csv", "json", "latex", "markdown"]) -> str:
        """The comparison in a format for other programs, as `cosim compare --format` writes it."""
        from cosim.comparison.formats import Format, written

        return written(self.comparison, Format(format))

    def __repr__(self) -> str:
        from cosim.comparison.formats import Format, written

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return written(self.comparison, Format.TABLE, width).rstrip("\n")

    def _repr_html_(self) -> str:
        from cosim.reporting.card import comparison_card

        return comparison_card(self.comparison)


def _numbers(estimates: dict[str, Estimate | None]) -> dict[str, float]:
    """The means with their half widths, NaN where there is none."""
    found = {}
    for name, one in estimates.items():
        width = None if one is None else one.half_width
        found[name] = math.nan if one is None else one.mean
        found[f"{name}_half_width"] = math.nan if width is None else width
    return found


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows)
    frame.attrs["units"] = {
        str(name): next(
            (u for end, u in _UNITS.items() if str(name).removesuffix("_half_width").endswith(end)),
            "1",
        )
        for name in frame.columns
        if pd.api.types.is_numeric_dtype(frame[name])
    }
    return frame
