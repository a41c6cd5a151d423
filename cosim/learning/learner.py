"""The learner: devices submit fine-tuning when they start, and ask for it when they finish."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cosim.errors import DivergenceError
from cosim.learning.base.base_model import BaseModel
from cosim.learning.base.geometry import Geometry
from cosim.learning.calibration.calibrator import Calibration, Calibrator
from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.costs.flop import Work
from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics.diagnosis import Diagnosis, LocalGradients
from cosim.learning.diagnostics.overlap import Overlap, overlap
from cosim.learning.execution.executor import Executor, InProcess
from cosim.learning.federation.aggregation import Update
from cosim.learning.federation.exchange import Bundle, Exchange
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.payload import told_values
from cosim.learning.federation.pooled_data import Pools
from cosim.learning.federation.scoring import Scoring
from cosim.learning.jobs import Calibrating, FineTuning, train_together
from cosim.learning.records import Diagnostic, FineTuned, LayerState, Measurement
from cosim.learning.storing.adapter_store import save_adapters
from cosim.learning.training.lesson import Batch, Lesson, Outcome
from cosim.learning.training.passes import DEVICES_PER_PASS
from cosim.learning.training.trainable import trainable
from cosim.learning.training.trainer import GroupTrainer
from cosim.learning.workload import Workload
from cosim.methods.parts import unplayed
from cosim.methods.recipe import Recipe
from cosim.scenario.learning import Adapter as AdapterChoice
from cosim.scenario.learning import Training

# Mini-batches of rounds are drawn from 1 on; the calibration's rows are those of round 0.
_CALIBRATION_ROUND = 0


class Learner:
    """All devices' adapters over one frozen base model; plays the parts that the recipe chose.

    `densities` are the devices' own, Q_budget/Σd·r; the adapter's for all of them if not given.
    `executor`: who computes training passes, each of `devices_per_pass` devices at most, and
    scores experts.
    """

    def __init__(
        self,
        base: BaseModel,
        recipe: Recipe,
        adapter: AdapterChoice,
        training: Training,
        pools: Mapping[str, TaskPool],
        tasks: Sequence[str],
        seed: int,
        densities: Sequence[float] | None = None,
        executor: Executor | None = None,
        devices_per_pass: int = DEVICES_PER_PASS,
    ) -> None:
        self.executor = executor or InProcess()
        self.devices_per_pass = devices_per_pass
        self.base, self.recipe, self.training = base, recipe, training
        self.pools, self.tasks, self.seed = pools, tuple(tasks), seed
        made = trainable(base, recipe, adapter, training)
        self.layout, self.trainer, model = made.layout, made.trainer, made.model
        self.settings = self.trainer.settings
        self.work = Work.of(
            base.model, self.layout, trainable_projection=self.settings.trainable_projection
        )
        reader = PromptReader(model, recipe.gate.layers, recipe.gate.reads)
        self.calibrator = Calibrator(model, self.layout, recipe, reader, self.work)
        own = densities or [adapter.density] * len(self.tasks)
        self.fleet = Fleet(self.layout, recipe, tasks, seed, own, adapter.bits_per_value)
        rows = [float(len(self.training_rows(device))) for device in range(len(tasks))]
        hidden = Geometry.of(base.model).hidden
        told = told_values(recipe, self.layout.modules, len(reader.blocks), hidden)
        self.exchange = Exchange(self.fleet, rows, told * adapter.bits_per_value)
        self.scoring = Scoring(self.fleet, made.evaluator, reader, pools, self.executor)
        self.pooled = Pools(recipe, tasks)
        self.queue: list[FineTuning] = []
        self.found: dict[int, Calibration] = {}

    @property
    def warnings(self) -> list[str]:
        """Sentences on rows that are not there, and on memory that has not sufficed so far."""
        of_pools = [sentence for pool in self.pools.values() for sentence in pool.warnings]
        return [*of_pools, *self.trainer.room.warnings]

    def training_rows(self, device: int) -> range:
        """The training rows of a device: every n-th of its task's, where n devices share it."""
        task = self.tasks[device]
        peers = [other for other, of in enumerate(self.tasks) if of == task]
        return range(peers.index(device), len(self.pools[task].train), len(peers))

    def _batch(self, device: int, round_: int, step: int, size: int) -> Batch:
        pool, own = self.pools[self.tasks[device]], self.training_rows(device)
        return pool.batch(own, seed=self.seed, device=device, round_=round_, step=step, size=size)

    def batches(self, device: int, round_: int) -> tuple[Batch, ...]:
        """A device's mini-batches of a round, in order."""
        size = self.training.batch_size
        return tuple(self._batch(device, round_, step, size) for step in range(self.training.steps))

    def _calibration_rows(self, device: int) -> Batch:
        return self._batch(device, _CALIBRATION_ROUND, 0, self.recipe.calibration_samples)

    def _calibration(self, device: int) -> Calibration:
        """What the device's calibration finds: it depends on no state, and is computed once."""
        self._calibrate([device])
        return self.found[device]

    def _calibrate(self, devices: Sequence[int]) -> None:
        fresh = [device for device in dict.fromkeys(devices) if device not in self.found]
        rows = [self._calibration_rows(device) for device in fresh]
        for device, found in zip(fresh, self.calibrator.calibrate_all(rows), strict=True):
            self.found[device] = replace(found, fault=self.fleet.fault(found))

    def calibrate(self, device: int) -> Calibrating | None:
        """A calibration on its own, before round 1; None where the recipe needs none, or none
        any more. A device that has not asked is calibrated in its first fine-tuning."""
        if not self.recipe.calibrated or self.fleet.calibrations[device] is not None:
            return None
        work = self.calibrator.workload(self._calibration_rows(device))
        return Calibrating(self, device, work)

    def accept_calibration(self, device: int, when: str) -> None:
        """Makes a calibration the device's own; called by the job.

        One with a fault ends the run, or leaves the device without, as the scenario says.
        """
        if self.fleet.calibrations[device] is not None:
            return
        found = self._calibration(device)
        if found.fault is None:
            self.fleet.calibrated(device, found)
        elif self.training.divergence == "stop":
            raise DivergenceError(
                f"training: device {device} ({self.tasks[device]}) cannot be calibrated {when}: "
                f"{found.fault}; choose another base_model or base_model.dtype, or "
                "training.divergence: quarantine to go on without that device's updates"
            )

    def limit(self, device: int, bits: float) -> None:
        """Lowers Q_budget of a device to what it can send with mask, seed and h in so many bits, up
        to the rounding of a value a module; a mask that has been chosen stays."""
        self.fleet.limit(device, self.exchange.values_in(bits))

    def submit(self, device: int, round_: int) -> FineTuning:
        """Queues a device's local fine-tuning; nothing is computed yet but what it takes."""
        batches = self.batches(device, round_)
        adapter = self.fleet.adapters[device]
        kept = self.fleet.planned(device, self.fleet.calibrations[device])
        calibrating = self.calibrate(device)
        work = self._workload(batches, int(kept.sum()), chooses=adapter.unmasked)
        if calibrating is not None:
            work = work.after(calibrating.work)
        lesson = Lesson(adapter, batches, kept)
        job = FineTuning(self, device, round_, lesson, work, calibrates=calibrating is not None)
        self.queue.append(job)
        return job

    def _workload(self, batches: Sequence[Batch], kept: int, *, chooses: bool) -> Workload:
        trained = kept
        trained += self.layout.projection_size if self.settings.trainable_projection else 0
        ranked = self.layout.expansion_size if chooses else 0
        if chooses and self.recipe.warms_up:
            return self.work.warm_up_workload(batches, trained=trained, ranked=ranked)
        return self.work.workload(batches, trained=trained, ranked=ranked)

    def accept(self, job: FineTuning) -> FineTuned:
        """Makes a job's outcome the device's state; called by the job."""
        if job.outcome is None:
            match self.recipe.data:
                case "own":
                    self._settle()
                case "task" | "pooled":
                    self._settle_pooled(job)
                case _:
                    unplayed("data", self.recipe.data)
        assert job.outcome is not None, "the job was discarded"
        if job.calibrates:
            self.accept_calibration(job.device, f"in round {job.round}")
        if job.outcome.fault is not None:
            return self._diverged(job, job.outcome)
        adapter = replace(job.outcome.adapter, round=job.round)
        self.fleet.adapters[job.device] = adapter
        self.fleet.hold_own(job.device)
        self.fleet.share(self.tasks[job.device], adapter)
        return FineTuned(job.outcome.loss, self.exchange.update(job.device, job.round))

    def _diverged(self, job: FineTuning, outcome: Outcome) -> FineTuned:
        """As the scenario says: the run ends, or the device keeps what it had."""
        if self.training.divergence == "stop":
            raise DivergenceError(
                f"training: device {job.device} ({self.tasks[job.device]}) diverged in round "
                f"{job.round}: {outcome.fault}; try a smaller training.learning_rate, or "
                "training.divergence: quarantine to go on without such updates"
            )
        return FineTuned(outcome.loss, None, quarantined=True)

    def forget(self, job: FineTuning) -> None:
        """Drops a job, settled or not; called by the job."""
        self.queue = [other for other in self.queue if other is not job]

    def _settle(self) -> None:
        """Trains all that is queued in common passes: each lesson ends as it would alone."""
        jobs = sorted(self.queue, key=lambda job: (job.round, job.device))
        self.queue = []
        self._calibrate([job.device for job in jobs if job.calibrates])
        jobs = [job for job in jobs if self._begins(job)]
        jobs.sort(key=lambda job: (job.device, job.round))
        train_together(jobs, self.trainer, self.executor, self.devices_per_pass)

    def _begins(self, job: FineTuning) -> bool:
        """Gives a job that calibrates what it found; False where with that it cannot train."""
        if not job.calibrates:
            return True
        found = self._calibration(job.device)
        if found.fault is not None:
            job.outcome = Outcome(job.lesson.adapter, math.nan, found.fault)
            return False
        adapter = self.fleet.refined_adapter(job.device, found)
        kept = self.fleet.planned(job.device, found)
        job.lesson = replace(job.lesson, adapter=adapter, kept=kept)
        return True

    def _settle_pooled(self, job: FineTuning) -> None:
        """Trains the job's pool, if it has not been in this round, for this job alone: whoever is
        cut off before it asks has moved no common adapter."""
        self.forget(job)
        if self._begins(job):
            job.outcome = self.pooled.settle(
                job.device,
                job.round,
                job.lesson,
                lambda device: self.batches(device, job.round),
                lambda lesson: self.trainer.train([lesson])[0],
            )

    def payload_bits(self, update: Update, receiver: int) -> int:
        """Bits of an update for this receiver."""
        return self.exchange.payload_bits(update, receiver)

    def hear(self, device: int, update: Update) -> None:
        """An update has arrived at a device."""
        self.exchange.hear(device, update)

    def lose(self, device: int) -> None:
        """What has arrived since the device last mixed is lost."""
        self.exchange.lose(device)

    def first_bits(self, devices: Sequence[int]) -> list[int]:
        """Bits of each device's next update for a receiver that has had nothing of it yet."""
        return [self.exchange.first_bits(device) for device in devices]

    def aggregate(self, device: int, inbox: Mapping[int, Update], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing."""
        self.exchange.aggregate(device, inbox, ages)

    def mixing_work(self, device: int, inbox: Mapping[int, Update]) -> Workload | None:
        """What mixing these takes; None where nothing is averaged."""
        return self.exchange.mixing_work(device, inbox)

    def bank(self, sender: int) -> Bundle:
        """The experts that the sender holds, to be exchanged without averaging."""
        return self.exchange.bank(sender)

    def bank_bits(self, bank: Bundle, receiver: int) -> int:
        """Bits of the experts that the receiver has not, or has older."""
        return self.exchange.bank_bits(bank, receiver)

    def absorb(self, device: int, bank: Bundle) -> None:
        """Stores the experts of another bank; a newer round of an expert replaces an older."""
        self.exchange.absorb(device, bank)

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Every device on every task; equal experts are scored once."""
        return self.scoring.evaluate(devices)

    def layers(self, device: int) -> list[LayerState]:
        """Spectral entropy, density and size of B by module."""
        return self.fleet.layers(device)

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(M, L) densities by device and module, planned ones before a mask has been chosen, and
        the modules' sizes (L,)."""
        return self.fleet.densities(devices)

    def collision(self, devices: Sequence[int]) -> float:
        """Measured share of positions of B that at least two of the devices train."""
        return self.fleet.collision(devices)

    def overlap(self, devices: Sequence[int]) -> list[Overlap]:
        """How far from orthogonal the devices' projections and updates are, by module."""
        return overlap(self.layout, [self.fleet.adapters[device] for device in devices])

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What computes the scenario's diagnostics."""
        trainer = self.trainer
        gradients = LocalGradients.like(trainer) if isinstance(trainer, GroupTrainer) else None
        return Diagnosis(self.fleet, self.scoring, gradients, self.batches, self.seed)

    def diagnose(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[Update]]
    ) -> list[Diagnostic]:
        """What the scenario's diagnostics are at this moment; changes nothing.

        `sets` are the updates that each device may have averaged in this round, its own included.
        """
        return self.diagnosis.of(devices, sets)

    def close(self) -> None:
        """Lets go of what outlives the last event: the executor's workers."""
        self.executor.close()

    def save(self, folder: Path) -> None:
        """Writes every device's adapter and its bank of experts into a new folder; nothing where
        all parameters are trained and there is no adapter."""
        if not self.recipe.full:
            save_adapters(folder, self.fleet, scale=self.settings.scale, seed=self.seed)
