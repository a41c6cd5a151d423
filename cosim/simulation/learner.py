"""What the simulation asks of a learner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement
from cosim.learning.workload import Workload

if TYPE_CHECKING:
    from cosim.learning.base.base_model import BaseModel
    from cosim.learning.data.pool import TaskPool


class Job(Protocol):
    """A submitted fine-tuning; its work is known at once, its result when it is asked for."""

    work: Workload

    def result(self) -> FineTuned:
        """Makes the result the device's state and returns it."""

    def discard(self) -> None:
        """Forgets the job without a trace."""


class Learner(Protocol):
    """All devices' learning, without time.

    `base`, `pools`: the model and the tasks' rows that it learns from; None and none where nothing
    is learnt.
    """

    @property
    def base(self) -> BaseModel | None:
        """The frozen base model."""

    @property
    def pools(self) -> Mapping[str, TaskPool]:
        """The rows of every task."""

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

    def close(self) -> None:
        """Ends what outlives the last event, such as workers."""
