"""A run as Python handles it: it shows itself in a line or in a notebook, and sums itself up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.errors import RunDirectoryError
from cosim.trace.reader import Run as TraceOfRun
from cosim.trace.standing import standing

if TYPE_CHECKING:
    import pandas as pd

    from cosim.comparison.courses import Per


class Run(TraceOfRun):
    """A run is one directory, opened: manifest, scenario, and every table as a pandas data frame.

    `accuracy` and `costs` sum the tables up; `events`, `transfers`, `rounds`, `evaluations` and
    the others are the rows themselves. Each table has the units of its columns in
    `frame.attrs["units"]`.
    """

    def accuracy(self) -> pd.DataFrame:
        """A row a scored round and task: round, time_s, energy_j, bits, task, mean, std, devices.

        energy_j and bits are what all devices had spent by then; mean and std are over devices.
        """
        from cosim.comparison.courses import accuracy_course

        return accuracy_course(self)

    def costs(self, per: Per = "round") -> pd.DataFrame:
        """A row a round, or with `per="device"` a device: seconds, joules by kind, bits, updates.

        Nothing is cumulated: `run.costs().energy_j.cumsum()`.
        """
        from cosim.comparison.courses import cost_course

        return cost_course(self, per)

    def __repr__(self) -> str:
        """One line, of a crashed or running run too."""
        manifest = self.manifest
        words = [
            str(manifest.get("method", "?")),
            f"seed {manifest.get('seed', '?')}",
            standing(self),
            f"{manifest.get('rounds', '?')} rounds",
        ]
        if (accuracy := self._final_accuracy()) is not None:
            words.append(f"accuracy {accuracy:.3f}")
        return f"Run({self.directory.absolute().name}: {', '.join(words)})"

    def _repr_html_(self) -> str | None:
        """The same for a notebook, with costs and curve; None where tables cannot be read."""
        from cosim.reporting.card import card

        try:
            return card(self, self.directory.absolute().name)
        except RunDirectoryError:
            return None

    def _final_accuracy(self) -> float | None:
        from cosim.comparison.figures import final_accuracy

        try:
            return final_accuracy(self)
        except RunDirectoryError:
            return None
