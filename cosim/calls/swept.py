"""A sweep that has been played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cosim.calls.run import Run
from cosim.observers.progress import NotebookLine, in_notebook
from cosim.sweeping.index import Entry
from cosim.sweeping.state import State
from cosim.sweeping.watch import Watch

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Swept:
    """A swept grid is a directory of runs with an index.

    directory: where they are; `cosim.compare` and `cosim.report` take it, too.
    """

    directory: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """The index: a row a run, with the grid's values, seed, directory, status and error."""
        import pandas as pd

        from cosim.sweeping.index import INDEX_FILE

        frame = pd.read_parquet(self.directory / INDEX_FILE)
        frame.attrs["units"] = {"seconds": "s"}
        return frame

    @property
    def runs(self) -> list[Run]:
        """The completed runs, in the index's order."""
        from cosim.sweeping.index import completed_runs

        return [Run.read(directory) for directory in completed_runs(self.directory).directories]

    def __fspath__(self) -> str:
        """Its directory: a sweep stands wherever a path does, and brings its values' names."""
        return str(self.directory)

    def __repr__(self) -> str:
        counts = self.table["status"].value_counts(sort=False)
        words = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"Swept({self.directory}: {len(self.table)} runs, {words})"

    def _repr_html_(self) -> str:
        from cosim.reporting.markup import table

        return table(self.table.columns, self.table.astype(str).to_numpy().tolist())


class SweepLine(Watch):
    """A sweep's line tells of each run that ends, where somebody is there to see it."""

    def __init__(self, *, wanted: bool) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, markup=False, emoji=False)
        self._line = NotebookLine() if in_notebook() else None
        self._wanted, self._to_play, self._ended = wanted, 0, 0

    def begins(self, entries: Sequence[Entry]) -> None:
        """Counts what there is to play."""
        self._to_play = sum(entry.state is State.PENDING for entry in entries)

    def ended(self, entry: Entry) -> None:
        """Shows how a run has ended."""
        self._ended += 1
        words = f"{self._ended}/{self._to_play}  {entry.state}  {entry.point.name}"
        if self._wanted and self._line is not None:
            self._line.show(self._ended, self._to_play, words)
        elif self._wanted and self._console.is_terminal:
            self._console.print(words, highlight=False, soft_wrap=True)
