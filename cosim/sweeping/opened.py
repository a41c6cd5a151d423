"""Runs by their paths: run directories, and directories of sweeps with all of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cosim.trace.reader import Run


class OpenedRuns(NamedTuple):
    """Opened runs are such that were found on disk, and what is to be said of them.

    runs: in the order of the paths.
    notes: a sentence for each run of a sweep that is not completed.
    called: what runs are called, by directory, whose sweep has given names to values.
    names: what the values of those runs are called, by directory and key.
    """

    runs: list[Run]
    notes: list[str]
    called: dict[Path, str]
    names: dict[Path, dict[str, str]]


def opened_runs(paths: Sequence[Path]) -> OpenedRuns:
    """Opens runs; raises RunDirectoryError for what is neither a run nor a sweep."""
    from cosim.sweeping.index import completed_runs, is_sweep
    from cosim.trace.reader import read_run

    opened = OpenedRuns([], [], {}, {})
    for path in paths:
        if is_sweep(path):
            index = completed_runs(path)
            opened.runs.extend(read_run(directory) for directory in index.directories)
            opened.notes.extend(
                f"left out, {state}: {path / name}" for name, state in index.others.items()
            )
            opened.called.update(index.labels)
            opened.names.update(index.names)
        else:
            opened.runs.append(read_run(path))
    return opened
