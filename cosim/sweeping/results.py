"""What a completed run of a sweep came to: figures that a comparison would tell, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cosim.comparison.figures import figures_of
from cosim.errors import CosimError
from cosim.trace.reader import read_run


@dataclass(frozen=True)
class Results:
    """Results are the figures of one run, each as `cosim.comparison.figures.Figures` has it; None
    where the run has none.

    accuracy: mean over tasks of the mean over devices, at the last evaluation.
    energy_j: of all devices.
    mbit: on the air, 10⁶ bit.
    simulated_s: the end of the last round.
    """

    accuracy: float | None = None
    energy_j: float | None = None
    mbit: float | None = None
    simulated_s: float | None = None


NO_RESULTS = Results()


def results_of(directory: Path) -> Results:
    """The results of a completed run; none of them where its traces cannot be read."""
    try:
        figures = figures_of(read_run(directory), None)
    except CosimError:
        return NO_RESULTS
    return Results(figures.accuracy, figures.energy_j, figures.mbit, figures.simulated_s)
