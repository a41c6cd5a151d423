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


class _RoundEnds(Observer):
    """When each round had ended, in this process' processor time, which is wall time where nothing
    else runs."""

    def __init__(self) -> None:
        self.at_s: list[float] = []

    def closed(self, round_: int, time_s: float) -> None:
        self.at_s.append(process_time())


def network_wall_s(scenario: Scenario) -> float:
    """Wall time of a run that learns nothing, in s, from its first rounds, which are played to
    their traces in a directory that is then deleted.

    The rounds after the first, which has the links' set-up, tell how long the others take. Raises
    CosimError where a run would.
    """
    from cosim.lifecycle.play import play

    watched = scenario.trace.model_copy(update={"observers": ()})
    rounds = min(FIRST_ROUNDS, scenario.rounds)
    begun, ends = process_time(), _RoundEnds()
    with tempfile.TemporaryDirectory() as folder:
        first = scenario.model_copy(update={"rounds": rounds, "trace": watched})
        play(first, Path(folder) / "run", [ends])
        took_s = process_time() - begun
    if len(ends.at_s) < 2:
        return took_s * scenario.rounds / rounds
    a_round_s = (ends.at_s[-1] - ends.at_s[0]) / (len(ends.at_s) - 1)
    return took_s + a_round_s * (scenario.rounds - rounds)
