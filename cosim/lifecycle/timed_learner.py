"""Time inside the learner, on the host's clock: for the manifest and for nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement
from cosim.methods.workload import Workload
from cosim.simulation.learner import Job, Learner


class TimedLearner:
    """A learner whose calls are timed; what they answer is untouched."""

    def __init__(self, inner: Learner) -> None:
        self.inner = inner
        self.wall_s = 0.0

    @property
    def warnings(self) -> Sequence[str]:
        """As the inner learner."""
        return self.inner.warnings

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Adds the block's wall time."""
        start = perf_counter()
        try:
            yield
        finally:
            self.wall_s += perf_counter() - start

    def submit(self, device: int, round_: int) -> TimedJob:
        """The inner learner's job, timed as well."""
        with self.timed():
            return TimedJob(self.inner.submit(device, round_), self)

    def payload_bits(self, update: Any, receiver: int) -> int:
        """As the inner learner."""
        with self.timed():
            return self.inner.payload_bits(update, receiver)

    def hear(self, device: int, update: Any) -> None:
        """As the inner learner."""
        with self.timed():
            self.inner.hear(device, update)

    def lose(self, device: int) -> None:
        """As the inner learner."""
        with self.timed():
            self.inner.lose(device)

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload | None:
        """As the inner learner."""
        with self.timed():
            return self.inner.mixing_work(device, inbox)

    def first_bits(self, devices: Sequence[int]) -> list[int]:
        """As the inner learner."""
        with self.timed():
            return self.inner.first_bits(devices)

    def aggregate(self, device: int, inbox: Mapping[int, Any], ages: Mapping[int, int]) -> None:
        """As the inner learner."""
        with self.timed():
            self.inner.aggregate(device, inbox, ages)

    def calibrate(self, device: int) -> TimedJob | None:
        """The inner learner's job, timed as well."""
        with self.timed():
            job = self.inner.calibrate(device)
        return None if job is None else TimedJob(job, self)

    def limit(self, device: int, bits: float) -> None:
        """As the inner learner."""
        with self.timed():
            self.inner.limit(device, bits)

    def bank_bits(self, bank: Any, receiver: int) -> int:
        """As the inner learner."""
        with self.timed():
            return self.inner.bank_bits(bank, receiver)

    def bank(self, sender: int) -> Any:
        """As the inner learner."""
        with self.timed():
            return self.inner.bank(sender)

    def absorb(self, device: int, bank: Any) -> None:
        """As the inner learner."""
        with self.timed():
            self.inner.absorb(device, bank)

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """As the inner learner."""
        with self.timed():
            return self.inner.evaluate(devices)

    def layers(self, device: int) -> list[LayerState]:
        """As the inner learner."""
        with self.timed():
            return self.inner.layers(device)

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """As the inner learner."""
        with self.timed():
            return self.inner.densities(devices)

    def collision(self, devices: Sequence[int]) -> float | None:
        """As the inner learner."""
        with self.timed():
            return self.inner.collision(devices)

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Any]]
    ) -> list[Diagnostic]:
        """As the inner learner."""
        with self.timed():
            return self.inner.diagnose(devices, sets)

    def save(self, folder: Path) -> None:
        """As the inner learner; after the last event, so not counted."""
        self.inner.save(folder)


class TimedJob:
    """A job of a timed learner's."""

    def __init__(self, inner: Job, clock: TimedLearner) -> None:
        self.inner = inner
        self._clock = clock
        self.work = inner.work

    def result(self) -> FineTuned:
        """As the inner job."""
        with self._clock.timed():
            return self.inner.result()

    def discard(self) -> None:
        """As the inner job."""
        self.inner.discard()
