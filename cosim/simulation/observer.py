"""What an observer of a run is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cosim.learning.records import Measurement
    from cosim.scenario.model import Scenario
    from cosim.trace.schema import Row


@runtime_checkable
class Observer(Protocol):
    """An observer looks on at a run and changes nothing: a progress display, a log. It is
    `cosim.Observer`.

    A class that inherits from it does nothing where it defines nothing. `cosim.run(scenario,
    observers=[…])` takes objects. A scenario's `trace.observers` takes names of entry points
    `cosim.observers`, each a class or a function that makes an observer of a `Scenario` and of the
    run's directory, a `Path`. An observer that raises ends the run, whose files stay readable.

    One that also defines `began(scenario, directory)` is told of it before any row, one that
    defines `ended(status)` when all is written.
    """

    def saw(self, row: Row) -> None:
        """Is given each row as it is written, an object of a class in `cosim.trace.schema`; times
        are in simulated s."""
        return

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Is given each evaluation: of all devices, or of those that have ended a round."""
        return

    def closed(self, round_: int, time_s: float) -> None:
        """Is told of each round that all devices have ended, and when, in simulated s."""
        return


@runtime_checkable
class Opening(Protocol):
    """An opening observer has something to do before any row."""

    def began(self, scenario: Scenario, directory: Path) -> None:
        """Is told of the scenario and of the run's directory, before any row; of a run that is
        resumed again, which is then told from its start."""


@runtime_checkable
class Closing(Protocol):
    """A closing observer has something to do when all is written."""

    def ended(self, status: str) -> None:
        """Is told of `completed`, `failed` or `interrupted`, when traces and manifest are
        written."""
