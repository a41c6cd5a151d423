"""The curves of a run, for whatever draws them: one point a round, over simulated seconds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar

from cosim.errors import ObserverError
from cosim.learning.records import Measurement
from cosim.observers.tally import Tally
from cosim.trace.schema import Row, TransferRow

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario


class Tracker(Tally, ABC):
    """A tracker looks on at a run and draws its curves elsewhere; no trace depends on it.

    A point a round: `learning/accuracy`, the mean over tasks of the mean over devices, each as it
    was scored last, and `learning/accuracy/TASK`, both in rounds that were scored alone;
    `learning/loss`; `cost/energy_j` and `cost/sent_mbit` of all devices up to then;
    `network/missed_share` of the transmissions up to then. A run that is resumed is told from its
    start, and drawn from there.
    """

    package: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self) -> None:
        # A folder of that name, such as the one that W&B writes, is found too, and is no package.
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ObserverError(
                f"{type(self).__name__} needs the package {self.package}, which is not installed: "
                f"pip install 'cosim[{self.extra}]'"
            )
        super().__init__(rounds=0)
        self._sent_bits = 0.0
        self._scored = False

    def began(self, scenario: Scenario, directory: Path) -> None:
        """Begins every sum anew, since one tracker may look on at several runs, and opens what is
        drawn on."""
        Tally.__init__(self, rounds=scenario.rounds)
        self._sent_bits, self._scored = 0.0, False
        self.open(scenario, directory)

    @abstractmethod
    def open(self, scenario: Scenario, directory: Path) -> None:
        """Opens what is drawn on."""

    @abstractmethod
    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Draws a point of each curve; time_s: simulated."""

    @abstractmethod
    def ended(self, status: str) -> None:
        """Closes what is drawn on, if it was opened."""

    def saw(self, row: Row) -> None:
        """Adds up what was sent, and what a tally does."""
        super().saw(row)
        if isinstance(row, TransferRow):
            self._sent_bits += row.sent_bits

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Draws the base model's accuracy; that of a round is drawn when the round has ended."""
        super().scored(round_, measurements)
        self._scored = True
        if round_ == 0 and (values := self._accuracy()):
            self.draw(values, 0, 0.0)

    def closed(self, round_: int, time_s: float) -> None:
        """Draws the round."""
        super().closed(round_, time_s)
        values = self._accuracy()
        if self.loss is not None:
            values["learning/loss"] = self.loss
        values["cost/energy_j"] = self.energy_j
        values["cost/sent_mbit"] = self._sent_bits / 1e6
        if self.transfers:
            values["network/missed_share"] = self.missed / self.transfers
        self.draw(values, round_, time_s)

    def _accuracy(self) -> dict[str, float]:
        """Of what was scored since it was last drawn."""
        if not self._scored or not self.scores:
            return {}
        self._scored = False
        by_task: dict[str, list[float]] = {}
        for (_, task), value in self.scores.items():
            by_task.setdefault(task, []).append(value)
        means = {task: fmean(values) for task, values in by_task.items()}
        curves = {f"learning/accuracy/{task}": mean for task, mean in means.items()}
        return {"learning/accuracy": fmean(means.values()), **curves}
