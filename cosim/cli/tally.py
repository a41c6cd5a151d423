"""The few numbers that a person follows while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from cosim.learning.records import Measurement
from cosim.trace.schema import Outcome, RoundRow, Row, TransferKind, TransferRow


class Tally:
    """Adds up what is written; the base of every display."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.round = 0
        self.time_s = 0.0
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.accuracy_round = 0
        self.energy_j = 0.0
        self.transfers = 0
        self.missed = 0
        self._losses: list[float] = []
        self._scores: dict[tuple[int, str], float] = {}

    def saw(self, row: Row) -> None:
        """Counts rounds and transfers other than beacons, ignores the rest."""
        if isinstance(row, TransferRow):
            if row.kind is not TransferKind.BEACON:
                self.transfers += 1
                self.missed += row.outcome is not Outcome.DELIVERED
        elif isinstance(row, RoundRow):
            self.energy_j += row.energy_compute_j + row.energy_tx_j
            self.energy_j += row.energy_rx_j + row.energy_idle_j
            if row.loss is not None:
                self._losses.append(row.loss)

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Keeps the mean accuracy over devices and tasks, each as it was scored last."""
        for measurement in measurements:
            if measurement.score.headline:
                self._scores[measurement.device, measurement.task] = measurement.score.value
        if self._scores:
            self.accuracy = fmean(self._scores.values())
            self.accuracy_round = round_

    def closed(self, round_: int, time_s: float) -> None:
        """Moves on to the next round."""
        self.round, self.time_s = round_, time_s
        self.loss = fmean(self._losses) if self._losses else None
        self._losses = []

    def words(self) -> dict[str, str]:
        """What is shown, in order; an accuracy of an earlier round with the round it is of."""
        texts = {
            "round": f"{self.round}/{self.rounds}",
            "simulated": f"{self.time_s:.2f} s",
        }
        if self.loss is not None:
            texts["loss"] = f"{self.loss:.3f}"
        if self.accuracy is not None:
            past = "" if self.accuracy_round == self.round else f" @{self.accuracy_round}"
            texts["accuracy"] = f"{self.accuracy:.3f}{past}"
        texts["energy so far"] = f"{self.energy_j:.1f} J"
        texts["missed so far"] = f"{self.missed} of {self.transfers}"
        return texts
