"""Rows of two tables that belong together, one to one."""

from __future__ import annotations

from typing import TypeAlias

import pandas as pd

Rows: TypeAlias = "list[int]"


def unmatched(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Rows, Rows]:
    """The rows of each that have no partner in the other: the same values in all columns, as often
    as they occur. Columns go by position; rows are told by their index."""
    columns = [f"c{n}" for n in range(first.shape[1])]
    first, second = (_numbered(frame, columns) for frame in (first, second))
    both = first.merge(second, how="outer", on=[*columns, "nth"], indicator=True)
    alone = [both.loc[both["_merge"] == f"{side}_only", f"row_{end}"] for side, end in _SIDES]
    left, right = (sorted(map(int, rows)) for rows in alone)
    return left, right


_SIDES = (("left", "x"), ("right", "y"))


def _numbered(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    out = pd.DataFrame({name: frame.iloc[:, n].to_numpy() for n, name in enumerate(columns)})
    out["nth"] = out.groupby(columns, sort=False).cumcount()
    out["row"] = frame.index.to_numpy()
    return out
