"""Which rows a device learns from, and in which mini-batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import TaskPool

# Mini-batches of rounds are drawn from 1 on; a calibration's rows are those of round 0.
CALIBRATION_ROUND = 0


@dataclass(frozen=True)
class DeviceRows:
    """Device rows are the training rows of every device.

    pools: rows by task.
    tasks: of every device by id.
    seed: the scenario's.
    """

    pools: Mapping[str, TaskPool]
    tasks: Sequence[str]
    seed: int

    def own(self, device: int) -> Sequence[int]:
        """Numbers of a device's rows among its task's."""
        task = self.tasks[device]
        peers = [other for other, of in enumerate(self.tasks) if of == task]
        return self.pools[task].rows_of(peers.index(device), len(peers))

    def answers(self, device: int) -> dict[str, int] | None:
        """How many rows a device has of each answer; None where its task is not divided by them."""
        pool = self.pools[self.tasks[device]]
        if not pool.answers:
            return None
        return dict(sorted(Counter(pool.answers[number] for number in self.own(device)).items()))

    def batch(self, device: int, round_: int, step: int, size: int) -> tuple[Encoded, ...]:
        """The mini-batch of one step."""
        pool, rows = self.pools[self.tasks[device]], self.own(device)
        return pool.batch(rows, seed=self.seed, device=device, round_=round_, step=step, size=size)

    def calibration(self, device: int, samples: int) -> tuple[Encoded, ...]:
        """The rows that the base model reads before the device's first round."""
        return self.batch(device, CALIBRATION_ROUND, 0, samples)
