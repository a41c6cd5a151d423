"""The observers that a scenario names, made for one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cosim.errors import CosimError, ObserverError
from cosim.observers.own import own_observer
from cosim.scenario.model import Scenario
from cosim.scenario.outside.observers import OWN, observer_entry
from cosim.simulation.observer import Observer


def named_observers(scenario: Scenario, directory: Path | None) -> Iterator[Observer]:
    """An observer of each name, in order; directory: the run's.

    Raises ObserverError for one that cannot be made, is no observer, or has no directory.
    """
    for number, name in enumerate(scenario.trace.observers):
        if name in OWN:
            yield own_observer(name)
            continue
        entry_point, factory = observer_entry(name)
        where = f"trace.observers.{number}: {entry_point}"
        if directory is None:
            raise ObserverError(f"{where} needs the directory of a run")
        try:
            observer = factory(scenario, directory)
        except CosimError:
            raise
        except Exception as error:
            raise ObserverError(
                f"{where} cannot be made: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(observer, Observer):
            lacking = [verb for verb in ("saw", "scored", "closed") if not hasattr(observer, verb)]
            raise ObserverError(f"{where} makes no cosim.Observer: it lacks {', '.join(lacking)}")
        yield observer
