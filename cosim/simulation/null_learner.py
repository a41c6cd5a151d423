"""A learner that only has a size and a cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement
from cosim.learning.workload import Workload
from cosim.simulation.learner import Job

if TYPE_CHECKING:
    from cosim.learning.data.pool import TaskPool


@dataclass
class _NullJob:
    work: Workload

    def result(self) -> FineTuned:
        return FineTuned(loss=None, update=None)

    def discard(self) -> None:
        """There is nothing to forget."""


class NullLearner:
    """Fixed bits and fixed work, no torch: the network alone.

    `density` s of the masks that a method would have, None where it has none.
    """

    def __init__(
        self, payload_bits: int, work: Workload, density: float | None = None, per_value: int = 16
    ) -> None:
        self._bits = payload_bits
        self._work = work
        self._density = density
        self._values = payload_bits / per_value
        self._held: dict[int, set[int]] = {}
        self.warnings: tuple[str, ...] = ()
        self.base = None
        self.pools: dict[str, TaskPool] = {}

    def submit(self, device: int, round_: int) -> Job:
        """A job of the scenario's work."""
        return _NullJob(self._work)

    def payload_bits(self, update: Any, receiver: int) -> int:
        """The scenario's bits."""
        return self._bits

    def hear(self, device: int, update: Any) -> None:
        """Nothing is told once."""

    def lose(self, device: int) -> None:
        """Nothing is told once."""

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload | None:
        """Nothing is computed."""
        return None

    def first_bits(self, devices: Sequence[int]) -> list[int]:
        """The scenario's bits."""
        return [self._bits] * len(devices)

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """Nothing is learnt; the device holds one more expert of each sender."""
        self._bank_of(device).update(inbox)

    def calibrate(self, device: int) -> Job | None:
        """Nothing is computed."""
        return None

    def limit(self, device: int, bits: float) -> None:
        """The bits are the scenario's."""

    def bank_bits(self, bank: Any, receiver: int) -> int:
        """The scenario's bits for every expert that the receiver lacks."""
        return self._bits * len(bank - self._bank_of(receiver))

    def bank(self, sender: int) -> Any:
        """Whose experts a device holds."""
        return frozenset(self._bank_of(sender))

    def absorb(self, device: int, bank: Any) -> None:
        """The device holds them too."""
        self._bank_of(device).update(bank)

    def _bank_of(self, device: int) -> set[int]:
        return self._held.setdefault(device, {device})

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Nothing is scored."""
        return []

    def layers(self, device: int) -> list[LayerState]:
        """No adapted layers."""
        return []

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """One module whose mask keeps as many values as are sent; none without masks."""
        if self._density is None:
            return np.zeros((len(devices), 0)), np.zeros(0)
        return np.full((len(devices), 1), self._density), np.array([self._values / self._density])

    def collision(self, devices: Sequence[int]) -> float | None:
        """No masks."""
        return None

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Any]]
    ) -> list[Diagnostic]:
        """Nothing to diagnose."""
        return []

    def save(self, folder: Path) -> None:
        """Nothing is learnt."""

    def close(self) -> None:
        """There is nothing to let go of."""
