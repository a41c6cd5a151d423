"""Who looks on at a run, by the names that installed packages declare."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from cosim.errors import OutsideError
from cosim.scenario.outside.entry_points import OBSERVERS, Declared, declared, named
from cosim.spelling import did_you_mean


def observer_entry(name: str) -> tuple[Declared, Any]:
    """The entry point of an observer's name, and the class or function that it names.

    Raises OutsideError where no package declares it, or it cannot be used.
    """
    entry_point = named(OBSERVERS, name)
    if entry_point is None:
        names = list(declared(OBSERVERS))
        among = f"one of {', '.join(names)}" if names else "no installed package declares any"
        raise OutsideError(f"'{name}' is not an observer{did_you_mean(name, names)} ({among})")
    factory = entry_point.load()
    if not callable(factory):
        raise entry_point.error("is neither a class nor a function")
    return entry_point, factory


def _installed(name: str) -> str:
    observer_entry(name)
    return name


ObserverName = Annotated[str, AfterValidator(_installed)]
