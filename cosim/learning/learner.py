"""The learner: devices submit fine-tuning when they start, and ask for it when they finish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from cosim.learning.base.base_model import BaseModel
from cosim.learning.base.geometry import Geometry
from cosim.learning.calibration.calibrator import Calibrator
from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.costs.round_costs import RoundCosts
from cosim.learning.data.device_rows import CALIBRATION_ROUND, DeviceRows
from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics.diagnosis import Diagnosis, LocalGradients, updates_of
from cosim.learning.divergence import diverged, uncalibrated
from cosim.learning.execution.executor import Executor, InProcess
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.hearing import Hearing
from cosim.learning.federation.messages import Bank, Messages
from cosim.learning.federation.pooled_data import Pools
from cosim.learning.federation.scoring import Scoring
from cosim.learning.jobs import CalibrationJob, FineTuningJob, MixingJob, train_together
from cosim.learning.records import Description, Evaluation, FineTuned, Outgoing
from cosim.learning.storing.adapter_store import save_adapters
from cosim.learning.threads import one_thread_each
from cosim.learning.training.lesson import Batch, Lesson, Outcome
from cosim.learning.training.passes import DEVICES_PER_PASS
from cosim.learning.training.trainable import trainable
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods.calibration import Calibration
from cosim.methods.message import NOTHING_LOST, Graph, Message, Passage, Turn
from cosim.methods.method import Method
from cosim.scenario.learning import AdapterChoice, Training


class ModelLearner:
    """A model learner holds all devices' adapters over one frozen base model; it plays the parts
    that the method chose.

    `densities` are the devices' own, Q_budget/Σd·r, and `ranks` r_i; the adapter's for all of them
    if not given. `executor`: who computes training passes, each of `devices_per_pass` devices at
    most, and scores experts. `remembers`: what devices had to say last is kept, for diagnostics.
    """

    def __init__(
        self,
        base: BaseModel,
        method: Method,
        adapter: AdapterChoice,
        training: Training,
        pools: Mapping[str, TaskPool],
        tasks: Sequence[str],
        seed: int,
        densities: Sequence[float] | None = None,
        executor: Executor | None = None,
        devices_per_pass: int = DEVICES_PER_PASS,
        *,
        ranks: Sequence[int] | None = None,
        remembers: bool = False,
    ) -> None:
        self.executor, self.devices_per_pass = executor or InProcess(), devices_per_pass
        self.base, self.method, self.training, self.remembers = base, method, training, remembers
        self.pools, self.tasks, self.seed = pools, tuple(tasks), seed
        parts = trainable(base, method, adapter, training)
        self.layout, self.trainer, model = parts.layout, parts.trainer, parts.model
        self.settings = self.trainer.settings
        self.costs = RoundCosts(base.model, self.layout, method)
        self.work = self.costs.work
        reader = PromptReader(model, *method.composition.reading)
        self.calibrator = Calibrator(
            model, self.layout, method.needs, reader, self.work, base.sha256
        )
        density_of = densities or [adapter.density] * len(self.tasks)
        per_value = adapter.bits_per_value
        self.fleet = Fleet(self.layout, method, tasks, seed, density_of, per_value, ranks)
        self.rows = DeviceRows(pools, self.tasks, seed)
        counts = [float(len(self.rows.own(device))) for device in range(len(tasks))]
        hidden = Geometry.of(base.model).hidden
        descent, shapes = training.learning_rate * training.steps, (len(reader.blocks), hidden)
        self.post = Messages(self.fleet, counts, shapes, seed, descent)
        self.scoring = Scoring(self.fleet, parts.evaluator, reader, pools, self.executor)
        self.pooled = Pools(method.data, tasks)
        self.queue: list[FineTuningJob] = []
        self.spoken: dict[int, Message] = {}
        self.found: dict[int, Calibration] = {}
        self.awaited: list[int] = []

    @property
    def warnings(self) -> list[str]:
        """Sentences on rows that are not there, and on memory that has not sufficed so far."""
        of_pools = [sentence for pool in self.pools.values() for sentence in pool.warnings]
        return [*of_pools, *self.trainer.room.warnings]

    def costs_of(self, device: int) -> RoundCosts:
        """What rounds of a device of its rank cost."""
        return self.costs.of(self.fleet.own[device].layout)

    def batches(self, device: int, round_: int) -> tuple[Batch, ...]:
        """A device's mini-batches of a round, in order."""
        size, steps = self.training.batch_size, range(self.training.steps)
        return tuple(self.rows.batch(device, round_, step, size) for step in steps)

    def calibration_rows(self, device: int) -> Batch:
        """What the base model reads of a device's rows before its first round."""
        return self.rows.calibration(device, self.method.calibration_samples)

    def _calibration(self, device: int) -> Calibration:
        """What the device's rows tell, read once and side by side with those of all who wait."""
        if device not in self.found:
            self._calibrate([device, *self.awaited])
        return self.found[device]

    def _calibrate(self, devices: Sequence[int]) -> None:
        fresh = [device for device in dict.fromkeys(devices) if device not in self.found]
        rows = [self.calibration_rows(device) for device in fresh]
        for device, calibration in zip(fresh, self.calibrator.calibrate_all(rows), strict=True):
            self.found[device] = replace(calibration, fault=self.fleet.fault(calibration))

    def _calibrating(self, device: int) -> CalibrationJob | None:
        """A calibration on its own; None where the method needs none, or none any more."""
        if not self.method.needs or self.fleet.states[device].calibration is not None:
            return None
        self.awaited.append(device)
        return CalibrationJob(self, device, self.calibrator.workload(self.calibration_rows(device)))

    def accept_calibration(self, device: int, when: str) -> None:
        """Makes a calibration the device's own; called by the job.

        One with a fault ends the run, or leaves the device without, as the scenario says.
        """
        if self.fleet.states[device].calibration is not None:
            return
        calibration = self._calibration(device)
        if calibration.fault is None:
            self.fleet.states[device] = self.fleet.calibrated(device, calibration)
        elif self.training.divergence == "stop":
            raise uncalibrated(device, self.tasks[device], when, calibration.fault)

    def inform(self, device: int, bits: float, rate: float | None) -> None:
        """Lowers Q_budget of a device that chooses a mask to what it can send with mask, seed and h
        in so many bits, up to the rounding of a value a module; a mask that has been chosen stays.
        The rate is its sending's."""
        if self.method.expansion.masked:
            self.fleet.limit(device, self.post.values_in(bits))
        if rate is not None:
            self.fleet.inform(device, rate)

    def submit(self, device: int, round_: int) -> FineTuningJob | CalibrationJob | None:
        """Queues a device's local fine-tuning; nothing is computed yet but what it takes.

        Round 0 is a calibration alone, None where there is none to do; a device that has not asked
        for it is calibrated in its first fine-tuning.
        """
        calibrating = self._calibrating(device)
        if round_ == CALIBRATION_ROUND:
            return calibrating
        batches = self.batches(device, round_)
        state = self.fleet.states[device]
        kept = self.fleet.planned(device, state.calibration)
        trains = self.method.projection.trains(round_)
        costs, unmasked = self.costs_of(device), state.adapter.unmasked
        work = costs.workload(batches, int(kept.sum()), trains, chooses=unmasked)
        if calibrating is not None:
            work = work.after(calibrating.work)
        correction = self.method.aggregation.correction(state)
        lesson = Lesson(state.adapter, batches, kept, trains=trains, correction=correction)
        job = FineTuningJob(self, device, round_, lesson, work, calibrates=calibrating is not None)
        self.queue.append(job)
        return job

    def cut_short(self, job: FineTuningJob, flop: int) -> None:
        """Has a job that waits do no more FLOP than these; called by the job."""
        job.stop(flop, self.costs_of(job.device))
        self.queue = [waiting for waiting in self.queue if not waiting.dropped]

    def accept(self, job: FineTuningJob) -> FineTuned:
        """Makes a job's outcome the device's state; called by the job."""
        if job.dropped:
            return self._lost(job, FineTuned(None, dropped=True))
        if job.outcome is None:
            if self.pooled.gathered:
                self._settle_pooled(job)
            else:
                self._settle()
        assert job.outcome is not None, "the job was discarded"
        if job.calibrates:
            self.accept_calibration(job.device, f"in round {job.round}")
        if job.outcome.fault is not None:
            return self._diverged(job, job.outcome)
        first = self.fleet.states[job.device].adapter.round == 0
        self.fleet.learnt(job.device, replace(job.outcome.adapter, round=job.round), job.reached)
        if self.remembers:
            self.spoken[job.device] = self.diagnosis.whole(self.post.message(job.device, job.round))
        layers = tuple(self.fleet.layers(job.device)) if first else ()
        return FineTuned(job.outcome.loss, layers=layers)

    def _diverged(self, job: FineTuningJob, outcome: Outcome) -> FineTuned:
        """As the scenario says: the run ends, or the device keeps what it had."""
        if self.training.divergence == "stop":
            raise diverged(job.device, self.tasks[job.device], job.round, outcome.fault)
        return self._lost(job, FineTuned(outcome.loss, quarantined=True))

    def _lost(self, job: FineTuningJob, tuned: FineTuned) -> FineTuned:
        """A round in which a device has learnt nothing: it keeps what it had."""
        self.spoken.pop(job.device, None)
        self.fleet.learnt_nothing(job.device)
        return tuned

    def forget(self, job: FineTuningJob) -> None:
        """Drops a job, settled or not; called by the job."""
        self.queue = [queued for queued in self.queue if queued is not job]
        self.spoken.pop(job.device, None)

    def _settle(self) -> None:
        """Trains all that is queued in common passes: each lesson ends as it would alone."""
        jobs = sorted(self.queue, key=lambda job: (job.round, job.device))
        self.queue = []
        self._calibrate([job.device for job in jobs if job.calibrates])
        jobs = [job for job in jobs if self._begins(job)]
        jobs.sort(key=lambda job: (job.device, job.round))
        train_together(jobs, self.trainer, self.executor, self.devices_per_pass)

    def _begins(self, job: FineTuningJob) -> bool:
        """Gives a job that calibrates what it found; False where with that it cannot train."""
        if not job.calibrates:
            return True
        calibration = self._calibration(job.device)
        if calibration.fault is not None:
            job.outcome = Outcome(job.lesson.adapter, math.nan, calibration.fault)
            return False
        adapter = self.fleet.calibrated(job.device, calibration).adapter
        kept = self.fleet.planned(job.device, calibration)
        job.lesson = replace(job.lesson, adapter=adapter, kept=kept)
        return True

    def _settle_pooled(self, job: FineTuningJob) -> None:
        """Trains the job's pool, if it has not been in this round, for this job alone: whoever is
        cut off before it asks has moved no common adapter."""
        self.queue = [queued for queued in self.queue if queued is not job]
        if self._begins(job):
            job.outcome = self.pooled.settle(
                job.device,
                job.round,
                job.lesson,
                lambda device: self.batches(device, job.round),
                lambda lesson: self.trainer.train([lesson])[0],
            )

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """What a device says now, with its bits for each receiver; None where it keeps silent."""
        return self.post.say(device, turn, receivers)

    def experts(
        self, device: int, receivers: Sequence[int], offered: Bank | None = None
    ) -> Outgoing:
        """The experts that a device holds, or offered before, and the bits of those that each
        receiver lacks."""
        bank = self.post.bank(device) if offered is None else offered
        return Outgoing(bank, {to: self.post.bank_bits(bank, to) for to in receivers})

    def hear(self, device: int, content: Message | Bank) -> None:
        """A message has arrived at a device, or experts, which it stores."""
        if isinstance(content, Message):
            self.post.hear(device, content)
        else:
            self.post.absorb(device, content)

    def lose(self, device: int) -> None:
        """What has arrived since the device last mixed is lost."""
        self.post.lose(device)

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Message],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> MixingJob:
        """The mixing of what arrived; an empty inbox changes nothing."""
        work = self.post.mixing_work(device, inbox, graph, flights)
        return MixingJob(self, device, Hearing(inbox, ages, turn, graph, flights), work)

    def accept_mixture(self, job: MixingJob) -> None:
        """Makes a mixture the device's state; called by the job."""
        before = self.fleet.states[job.device].adapter
        with one_thread_each(1):  # sums too short to be worth a barrier each
            shares = self.post.mix(job.device, job.hearing, with_shares=self.remembers)
        if self.remembers:
            self.diagnosis.mixed(job.device, job.hearing.turn, shares, before)

    def evaluate(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[int]] | None = None
    ) -> Evaluation:
        """Every device on every task, equal experts scored once; with sets the diagnostics too."""
        evaluation = self.scoring.evaluate(devices)
        if sets is None:
            return evaluation
        updates = updates_of(self.spoken, sets)
        return replace(evaluation, diagnostics=self.diagnosis.of(devices, updates, sets))

    def describe(self, devices: Sequence[int], together: bool = False) -> Description:
        """What devices are going to send, by their masks or those that are planned."""
        first_bits = [self.post.first_bits(device) for device in devices]
        collision = self.fleet.collision(devices) if together else None
        return Description(first_bits, *self.fleet.densities(devices), collision)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What computes the scenario's diagnostics."""
        trainer = self.trainer
        gradients = LocalGradients.like(trainer) if isinstance(trainer, GroupTrainer) else None
        return Diagnosis(self.fleet, self.scoring, gradients, self.batches, self.seed)

    def close(self) -> None:
        """Lets go of what outlives the last event: the executor's workers."""
        self.executor.close()

    def save(self, folder: Path) -> None:
        """Writes what devices answer with into a new folder; nothing where there is no adapter."""
        if not self.method.expansion.every_parameter:
            blocks, scale = self.scoring.reader.blocks, self.settings.scale
            save_adapters(folder, self.fleet, blocks, scale=scale, seed=self.seed)
