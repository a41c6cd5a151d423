"""How long a network alone is foreseen to take on this machine: its first rounds are played."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from cosim.simulation.observer import Observer

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario

FIRST_ROUNDS = 3


class _Start(Observer):
    """When the first event was about to happen, in this process' processor time."""

    def __init__(self) -> None:
        self.at_s = process_time()

    def began(self, scenario: Scenario, directory: Path) -> None:
        self.at_s = process_time()


def network_wall_s(scenario: Scenario) -> float:
    """Wall time of a run that learns nothing, in s, from its first rounds, which are played to
    their traces in a directory that is then deleted.

    It is taken to be the processor time, since the loop is one thread, and to grow with the rounds
    from the first event on. Raises CosimError where a run would.
    """
    from cosim.lifecycle.play import play

    watched = scenario.trace.model_copy(update={"observers": ()})
    rounds = min(FIRST_ROUNDS, scenario.rounds)
    begun_s, start = process_time(), _Start()
    with tempfile.TemporaryDirectory() as folder:
        first = scenario.model_copy(update={"rounds": rounds, "trace": watched})
        play(first, Path(folder) / "run", [start])
        ended_s = process_time()
    return start.at_s - begun_s + (ended_s - start.at_s) * scenario.rounds / rounds
