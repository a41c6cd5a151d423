"""How a worker tells of the rounds of its run."""

from __future__ import annotations

from contextlib import suppress

from cosim.simulation.observer import Observer
from cosim.sweeping.progress import Progress, Tell

# A message at most for each of so many equal parts of a run.
_PARTS = 100


class RoundTeller(Observer):
    """A round teller looks on at a run and sends how far it is; whether that arrives is no matter
    of the run's."""

    def __init__(self, name: str, rounds: int, send: Tell) -> None:
        self._name, self._rounds, self._send = name, rounds, send
        self._part = 0

    def closed(self, round_: int, time_s: float) -> None:
        """Tells of the round, where it begins another part of the run."""
        part = _PARTS * round_ // self._rounds
        if part > self._part:
            self._part = part
            with suppress(OSError):
                self._send(Progress(self._name, round_))
