"""What plays the runs of a sweep side by side: processes of this machine, or Ray's workers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from enum import StrEnum

from cosim.errors import SweepError
from cosim.host.ray_cluster import refuse_without_ray
from cosim.scenario.model import Scenario
from cosim.spelling import did_you_mean
from cosim.sweeping import ray_workers, workers
from cosim.sweeping.progress import Tell
from cosim.sweeping.work import Assignment, Reply

# Plays all assignments, so many at a time, tells of rounds, and yields each reply as it comes.
Player = Callable[[Iterable[Assignment], int, Tell], Generator[Reply]]


class Engine(StrEnum):
    """An engine plays the runs of a sweep."""

    PROCESSES = "processes"
    RAY = "ray"


def engine_named(name: str) -> Engine:
    """The engine of that name; raises SweepError, and RayError where Ray is not installed."""
    try:
        engine = Engine(name)
    except ValueError:
        hint = did_you_mean(name, Engine)
        raise SweepError(f"--engine: '{name}' is neither 'processes' nor 'ray'{hint}") from None
    if engine is Engine.RAY:
        refuse_without_ray("--engine ray")
    return engine


def player_of(engine: Engine, scenarios: Sequence[Scenario]) -> Player:
    """What plays assignments; raises SweepError where Ray would wait for itself."""
    if engine is Engine.PROCESSES:
        return workers.play_all
    if any(getattr(scenario.learning, "executor", None) == "ray" for scenario in scenarios):
        raise SweepError(
            "--engine ray plays whole runs on Ray's workers, so that none are left for "
            "learning.executor: ray; use one of the two"
        )
    return ray_workers.play_all
