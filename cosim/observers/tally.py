"""The few numbers that a person follows while a run goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from statistics import fmean
from time import monotonic

from cosim.learning.records import Measurement
from cosim.trace.schema import RoundRow, Row, TransferKind, TransferOutcome, TransferRow

# Rounds by whose wall time the remaining ones are foreseen.
_RECENT = 4
# What is left is told from here on; "0 s" would help nobody.
_LEAST_LEFT_S = 0.5


class Tally:
    """A tally adds up what is written; it is the base of every display.

    clock: the host's, in s, of which nothing reaches a trace.
    """

    def __init__(self, rounds: int, clock: Callable[[], float] = monotonic) -> None:
        self.rounds = rounds
        self._clock = clock
        self._closings_s: deque[float] = deque(maxlen=_RECENT + 1)
        self.round = 0
        self.time_s = 0.0
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.accuracy_round = 0
        self.energy_j = 0.0
        self.transfers = 0
        self.missed = 0
        self._losses: list[float] = []
        self.scores: dict[tuple[int, str], float] = {}

    def saw(self, row: Row) -> None:
        """Counts rounds and transfers other than beacons, ignores the rest."""
        if isinstance(row, TransferRow):
            if row.kind is not TransferKind.BEACON:
                self.transfers += 1
                self.missed += row.outcome is not TransferOutcome.DELIVERED
        elif isinstance(row, RoundRow):
            self.energy_j += row.energy_compute_j + row.energy_tx_j
            self.energy_j += row.energy_rx_j + row.energy_idle_j
            if row.loss is not None:
                self._losses.append(row.loss)

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Keeps the mean accuracy over devices and tasks, each as it was scored last."""
        for measurement in measurements:
            if measurement.score.headline:
                self.scores[measurement.device, measurement.task] = measurement.score.value
        if self.scores:
            self.accuracy = fmean(self.scores.values())
            self.accuracy_round = round_

    def closed(self, round_: int, time_s: float) -> None:
        """Moves on to the next round."""
        self.round, self.time_s = round_, time_s
        self._closings_s.append(self._clock())
        self.loss = fmean(self._losses) if self._losses else None
        self._losses = []

    @property
    def left_s(self) -> float | None:
        """The wall time that is left, in s, if a round takes what each of the last ones took.

        None before the second round's end: the first one also scores the base model and calibrates.
        """
        spans = len(self._closings_s) - 1
        if spans < 1 or self.round >= self.rounds:
            return None
        mean_s = (self._closings_s[-1] - self._closings_s[0]) / spans
        return mean_s * (self.rounds - self.round)

    def words(self) -> dict[str, str]:
        """What is shown, in order; an accuracy of an earlier round with the round it is of."""
        texts = {"round": f"{self.round}/{self.rounds}"}
        if self.left_s is not None and self.left_s >= _LEAST_LEFT_S:
            texts["left"] = clock_text(self.left_s)
        texts["simulated"] = f"{self.time_s:.2f} s"
        if self.loss is not None:
            texts["loss"] = f"{self.loss:.3f}"
        if self.accuracy is not None:
            past = "" if self.accuracy_round == self.round else f" @{self.accuracy_round}"
            texts["accuracy"] = f"{self.accuracy:.3f}{past}"
        texts["energy so far"] = f"{self.energy_j:.1f} J"
        texts["missed so far"] = f"{self.missed} of {self.transfers}"
        return texts


def clock_text(duration_s: float) -> str:
    """A wall time in words that get shorter the longer it is: 8 s, 1:10 min, 2:05 h."""
    whole_s = round(duration_s)
    if whole_s < 60:
        return f"{whole_s} s"
    if whole_s < 3600:
        return f"{whole_s // 60}:{whole_s % 60:02} min"
    minutes = round(duration_s / 60)
    return f"{minutes // 60}:{minutes % 60:02} h"
