"""Everything that is written down goes through here: to the trace, and to whoever looks on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from simpy import Environment

from cosim.errors import CosimError, ObserverError
from cosim.learning.records import Measurement
from cosim.scenario.model import Scenario
from cosim.simulation.observer import Closing, Opening
from cosim.simulation.observer import Observer as Observer
from cosim.trace.manifest import Status
from cosim.trace.schema import Cause, EventKind, EventRow, Row


class TraceSink(Protocol):
    """A trace sink takes the rows of a run."""

    @property
    def directory(self) -> Path | None:
        """The run's directory; None where rows stay in memory."""

    def add(self, row: Row) -> None:
        """Takes one row of any table."""

    def flush(self) -> None:
        """Makes readable what was added."""


class Recorder:
    """The recorder stamps events with the simulated time and passes every row on."""

    def __init__(self, env: Environment, trace: TraceSink, observers: Sequence[Observer]) -> None:
        self._env = env
        self._trace = trace
        self._observers = observers

    def began(self, scenario: Scenario, directory: Path) -> None:
        """Tells observers that the run begins."""
        for observer in self._observers:
            if isinstance(observer, Opening):
                with _told(observer):
                    observer.began(scenario, directory)

    @contextmanager
    def end_told(self) -> Iterator[None]:
        """Tells observers, when all is written, how what is played within has ended.

        Where it has failed already, an observer that fails as well is passed over.
        """
        try:
            yield
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt)
            with suppress(ObserverError):
                self._end(Status.INTERRUPTED if stopped else Status.FAILED)
            raise
        self._end(Status.COMPLETED)

    def _end(self, status: Status) -> None:
        """Whatever becomes of one, the others are told."""
        with ExitStack() as stack:
            for observer in reversed(self._observers):
                if isinstance(observer, Closing):
                    stack.enter_context(_told(observer))
                    stack.callback(observer.ended, status)

    def write(self, row: Row) -> None:
        """Writes one row of any table."""
        self._trace.add(row)
        for observer in self._observers:
            try:
                observer.saw(row)
            except Exception as error:
                raise _observer_failed(observer, error) from error

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
        for observer in self._observers:
            with _told(observer):
                observer.scored(round_, measurements)

    def spill(self) -> None:
        """Flushes the trace amid a round."""
        self._trace.flush()

    def round_closed(self, round_: int) -> None:
        """Flushes the trace and tells the observers."""
        self._trace.flush()
        for observer in self._observers:
            with _told(observer):
                observer.closed(round_, self._env.now)


@contextmanager
def _told(observer: Observer) -> Iterator[None]:
    """Raises ObserverError for whatever fails in an observer."""
    try:
        yield
    except CosimError:
        raise
    except Exception as error:
        raise _observer_failed(observer, error) from error


def _observer_failed(observer: Observer, error: Exception) -> ObserverError:
    """The error of an observer that failed, told apart from the run's own files and failures."""
    if isinstance(error, OSError):
        return ObserverError(f"who looked on at the run could not write: {error}")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kinds = type(observer).__name__, type(error).__name__
    return ObserverError(
        f"who looked on at the run, {kinds[0]}, failed at {frame.filename}:{frame.lineno}: "
        f"{kinds[1]}: {error}"
    )
