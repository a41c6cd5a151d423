"""What the simulation asks of a learner, and a learner that only has a size and a cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cosim.learning.report import FineTuned, LayerState, Measurement
from cosim.learning.workload import Workload


class Job(Protocol):
    """A submitted fine-tuning; its work is known at once, its result when it is asked for."""

    work: Workload

    def result(self) -> FineTuned:
        """Makes the result the device's state and returns it."""

    def discard(self) -> None:
        """Forgets the job without a trace."""


class Learner(Protocol):
    """All devices' learning, without time."""

    def submit(self, device: int, round_: int) -> Job:
        """Queues a device's local fine-tuning."""

    def payload_bits(self, sender: int, receiver: int) -> int:
        """Bits of the sender's present update for this receiver."""

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an update's age is how often the device has
        mixed since it was sent."""

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Scores of the devices on every task."""

    def layers(self, device: int) -> list[LayerState]:
        """What each adapted module of a device trains and sends."""

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(M, L) densities by device and module, and the modules' sizes (L,)."""

    def collision(self, devices: Sequence[int]) -> float | None:
        """Share of positions that at least two of the devices train; None without masks."""


@dataclass
class _NullJob:
    work: Workload

    def result(self) -> FineTuned:
        return FineTuned(loss=None, update=None)

    def discard(self) -> None:
        """There is nothing to forget."""


class NullLearner:
    """Fixed bits and fixed work, no torch: the network alone."""

    def __init__(self, payload_bits: int, work: Workload) -> None:
        self._bits = payload_bits
        self._work = work

    def submit(self, device: int, round_: int) -> Job:
        """A job of the scenario's work."""
        return _NullJob(self._work)

    def payload_bits(self, sender: int, receiver: int) -> int:
        """The scenario's bits."""
        return self._bits

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """Nothing is learnt."""

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Nothing is scored."""
        return []

    def layers(self, device: int) -> list[LayerState]:
        """No adapted layers."""
        return []

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """No modules."""
        return np.zeros((len(devices), 0)), np.zeros(0)

    def collision(self, devices: Sequence[int]) -> float | None:
        """No masks."""
        return None
