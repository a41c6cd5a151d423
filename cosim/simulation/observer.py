"""Somebody who looks on at a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cosim.learning.records import Measurement
    from cosim.trace.schema import Row


@runtime_checkable
class Observer(Protocol):
    """Somebody who looks on at a run and changes nothing: a progress display, a log;
    `cosim.Observer`.

    A class that inherits from it does nothing where it defines nothing. `cosim.run(scenario,
    observers=[…])` takes objects. A scenario's `trace.observers` takes names of entry points
    `cosim.observers`, each a class or a function that makes an observer of a `Scenario` and of the
    run's directory, a `Path`. An observer that raises ends the run, whose files stay readable.
    """

    def saw(self, row: Row) -> None:
        """One row of any table, of the classes in `cosim.trace.schema`, as it is written; the
        tables are told apart by `type(row)`, and times are in simulated s."""

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """One evaluation: of all devices, or of those that have ended a round."""

    def closed(self, round_: int, time_s: float) -> None:
        """One round that all devices have ended, at a moment in simulated s."""
