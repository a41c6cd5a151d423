"""What the simulation asks of a learner, and a learner that only has a size and a cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement
from cosim.methods.workload import Workload


class Job(Protocol):
    """A submitted fine-tuning; its work is known at once, its result when it is asked for."""

    work: Workload

    def result(self) -> FineTuned:
        """Makes the result the device's state and returns it."""

    def discard(self) -> None:
        """Forgets the job without a trace."""


class Learner(Protocol):
    """All devices' learning, without time."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences on what a user should look twice at, such as rows that are not used."""

    def submit(self, device: int, round_: int) -> Job:
        """Queues a device's local fine-tuning, which calibrates first where it has not been."""

    def payload_bits(self, update: Any, receiver: int) -> int:
        """Bits of an update for this receiver: what is in it, and what the receiver must be told
        once to read it."""

    def hear(self, device: int, update: Any) -> None:
        """An update has arrived at a device, in time or late but whole: what it is told once it
        now knows."""

    def lose(self, device: int) -> None:
        """A device was cut off: what has arrived since it last mixed is lost, and what it was told
        with that as well."""

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload | None:
        """What a device must compute to mix these; None where that is nothing."""

    def first_bits(self, devices: Sequence[int]) -> list[int]:
        """Bits of each device's next update for a receiver that has had nothing of it yet, by its
        mask or the one that is planned."""

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an update's age is how often the device has
        mixed since it was sent."""

    def calibrate(self, device: int) -> Job | None:
        """What a device must compute before its densities are known; None where nothing is."""

    def limit(self, device: int, bits: float) -> None:
        """Has a device that chooses a mask train no more than it can send in so many bits."""

    def bank_bits(self, bank: Any, receiver: int) -> int:
        """Bits of those of a bank's experts that the receiver does not have yet."""

    def bank(self, sender: int) -> Any:
        """The experts that a device holds, as another will read them."""

    def absorb(self, device: int, bank: Any) -> None:
        """Stores another device's experts beside its own; nothing is averaged."""

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Scores of the devices on every task."""

    def layers(self, device: int) -> list[LayerState]:
        """What each adapted module of a device trains and sends."""

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(M, L) densities by device and module, and the modules' sizes (L,); planned ones before
        there are masks."""

    def collision(self, devices: Sequence[int]) -> float | None:
        """Share of positions that at least two of the devices train; None without masks."""

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Any]]
    ) -> list[Diagnostic]:
        """What a scenario's diagnostics are; `sets` are the updates that each device may have
        averaged in this round, its own included."""

    def save(self, folder: Path) -> None:
        """Writes what the devices have learnt into a new folder, if they have."""


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
