"""Who looks on at a run, by the names of cosim's own and those that installed packages declare."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from cosim.errors import OutsideError
from cosim.scenario.outside.entry_points import OBSERVERS, Declared, declared, named
from cosim.spelling import did_you_mean

# Those of `cosim/observers/`, whose packages are looked for when a run is set up.
OWN = ("tensorboard", "wandb", "mlflow")


def observer_entry(name: str) -> tuple[Declared, Any]:
    """The entry point of an observer's name, and the class or function that it names.

    Raises OutsideError where no package declares it, or it cannot be used.
    """
    entry_point = named(OBSERVERS, name)
    if entry_point is None:
        names = [*OWN, *declared(OBSERVERS)]
        among = f"one of {', '.join(names)}"
        raise OutsideError(f"'{name}' is not an observer{did_you_mean(name, names)} ({among})")
    factory = entry_point.load()
    if not callable(factory):
        raise entry_point.error("is neither a class nor a function")
    return entry_point, factory


def _installed(name: str) -> str:
    if name in OWN:
        named(OBSERVERS, name, OWN)
    else:
        observer_entry(name)
    return name


ObserverName = Annotated[str, AfterValidator(_installed)]
