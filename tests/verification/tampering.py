"""How a table of a run is tampered with, and what `cosim verify` then says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

# table, how it is changed, which check tells, and in which words
Case = tuple[str, Any, str, str]


def rows(frame: pd.DataFrame, **wanted: Any) -> pd.Index:
    """The rows that have these values."""
    mask = pd.Series(True, index=frame.index)
    for column, value in wanted.items():
        mask &= frame[column] == value
    return frame.index[mask]


def first(frame: pd.DataFrame, **wanted: Any) -> int:
    return int(rows(frame, **wanted)[0])


def put(column: str, value: Any, **wanted: Any) -> Callable[[pd.DataFrame], None]:
    """Writes a value into the first row that is as wanted; a function is given the old one."""

    def change(frame: pd.DataFrame) -> None:
        row = first(frame, **wanted)
        old = frame.loc[row, column]
        frame.loc[row, column] = value(old) if callable(value) else value

    return change


def without(**wanted: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Drops the first row that is as wanted."""
    return lambda frame: frame.drop(index=first(frame, **wanted))


def more(old: Any) -> Any:
    return old * 2 + 1


def assert_refused(copy: Path, edit: Any, verify: Any, case: Case) -> None:
    """The check tells what was changed, and the hash shows it."""
    table, change, check, said = case
    edit(table, change)
    code, told, err = verify(copy)
    assert (code, err) == (1, "")
    assert told[check].startswith("WRONG: "), told
    assert re.search(said, told[check], re.MULTILINE), told[check]
    # Whatever was changed, the hash shows it.
    assert told["hash"].startswith("WRONG: ")
    assert "checks failed" in told[str(copy) + ":"]
