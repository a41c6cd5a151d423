"""Runs by their paths: run directories, and directories of sweeps with all of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.trace.reader import Run


def opened_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs in their order, and a sentence for each run of a sweep that is not completed.

    Raises RunDirectoryError for what is neither.
    """
    from cosim.sweep.index import completed_runs, is_sweep
    from cosim.trace.reader import read_run

    opened: list[Run] = []
    notes: list[str] = []
    for path in paths:
        if is_sweep(path):
            directories, others = completed_runs(path)
            opened += [read_run(directory) for directory in directories]
            notes += [f"left out, {state}: {path / name}" for name, state in others.items()]
        else:
            opened.append(read_run(path))
    return opened, notes
