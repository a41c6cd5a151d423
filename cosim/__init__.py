"""cosim: a discrete-event network-and-learning co-simulator.

`load_scenario` reads and validates a YAML scenario, `run` plays it and writes the traces,
`read_run` opens them again. Heavy imports happen inside the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario
    from cosim.trace.reader import Run

__version__ = "0.1.0"
__all__ = ["load_scenario", "read_run", "run"]


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """The validated, frozen scenario of a YAML file, with `key.path=value` overrides applied.

    Raises `cosim.errors.ScenarioError` naming the file, the line and the path in the scenario.
    """
    from cosim.scenario.load import load

    return load(Path(path), overrides)


def run(scenario: Scenario | str | Path, out: str | Path | None = None) -> Run:
    """Plays a scenario to its end and opens the run directory that it wrote."""
    from cosim.lifecycle.play import play
    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document
    from cosim.trace.reader import read_run as read

    directory = Path(out) if out is not None else None
    if isinstance(scenario, str | Path):
        chosen, document = load_with_document(Path(scenario))
        with blaming(document):
            return read(play(chosen, out=directory).directory)
    return read(play(scenario, out=directory).directory)


def read_run(path: str | Path) -> Run:
    """Opens a run directory: manifest, scenario and every table as a pandas data frame."""
    from cosim.trace.reader import read_run as read

    return read(Path(path))
