"""Everything that is written down goes through here: to the trace, and to whoever looks on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simpy import Environment

from cosim.errors import ObserverError
from cosim.learning.records import Measurement
from cosim.trace.schema import Cause, EventKind, EventRow, Row


class TraceSink(Protocol):
    """A trace sink takes the rows of a run."""

    def add(self, row: Row) -> None:
        """Takes one row of any table."""

    def flush(self) -> None:
        """Makes readable what was added."""


class Observer(Protocol):
    """An observer looks on and changes nothing: a progress display, a test."""

    def saw(self, row: Row) -> None:
        """Is given each row as it is written."""

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Is given each evaluation: of all devices, or of those that have ended a round."""

    def closed(self, round_: int, time_s: float) -> None:
        """Is told of each round that all devices have ended."""


class Recorder:
    """Stamps events with the simulated time and passes every row on."""

    def __init__(self, env: Environment, trace: TraceSink, observers: Sequence[Observer]) -> None:
        self._env = env
        self._trace = trace
        self._observers = observers

    def write(self, row: Row) -> None:
        """Writes one row of any table."""
        self._trace.add(row)
        try:
            for observer in self._observers:
                observer.saw(row)
        except OSError as error:
            raise _observer_failed(error) from error

    def event(
        self,
        kind: EventKind,
        device: int,
        round_: int,
        cause: Cause,
        peer: int | None = None,
        transfer: int | None = None,
    ) -> None:
        """Writes one thing that happens now; transfer: number of the transmission it is about."""
        self.write(EventRow(self._env.now, round_, device, kind, peer, cause, transfer))

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Tells the observers of an evaluation."""
        try:
            for observer in self._observers:
                observer.scored(round_, measurements)
        except OSError as error:
            raise _observer_failed(error) from error

    def spill(self) -> None:
        """Flushes the trace amid a round."""
        self._trace.flush()

    def round_closed(self, round_: int) -> None:
        """Flushes the trace and tells the observers."""
        self._trace.flush()
        try:
            for observer in self._observers:
                observer.closed(round_, self._env.now)
        except OSError as error:
            raise _observer_failed(error) from error


def _observer_failed(error: OSError) -> ObserverError:
    """The error of an observer that could not write, told apart from the run's own files."""
    return ObserverError(f"who looked on at the run could not write: {error}")
