"""The learner: devices submit fine-tuning when they start, and ask for it when they finish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.adapter import Layout, kept_positions
from cosim.learning.aggregate import Update
from cosim.learning.base_model import BaseModel
from cosim.learning.evaluate import Evaluator
from cosim.learning.exchange import Exchange
from cosim.learning.fleet import Fleet
from cosim.learning.flop import Work
from cosim.learning.passes import passes
from cosim.learning.report import FineTuned, LayerState, Measurement, Score
from cosim.learning.tasks.pool import TaskPool
from cosim.learning.train import GroupTrainer, Lesson, Outcome, TrainingSettings
from cosim.learning.workload import Workload
from cosim.methods.recipe import Recipe
from cosim.scenario.learning import Adapter as AdapterChoice
from cosim.scenario.learning import Training


class FineTuning:
    """A submitted job; it depends on the device's state at submission and on nothing later."""

    def __init__(
        self, learner: Learner, device: int, round_: int, lesson: Lesson, work: Workload
    ) -> None:
        self._learner = learner
        self.device = device
        self.round = round_
        self.lesson = lesson
        self.work = work
        self.outcome: Outcome | None = None

    def result(self) -> FineTuned:
        """Settles every job submitted so far if need be, and hands the device its new adapter."""
        return self._learner.accept(self)

    def discard(self) -> None:
        """Forgets the job: the device's state stays as it was at submission."""
        self._learner.forget(self)


class Learner:
    """All devices' adapters over one frozen base model; plays the parts that the recipe chose."""

    def __init__(
        self,
        base: BaseModel,
        recipe: Recipe,
        adapter: AdapterChoice,
        training: Training,
        pools: Mapping[str, TaskPool],
        tasks: Sequence[str],
        seed: int,
    ) -> None:
        self.base, self.recipe, self.training = base, recipe, training
        self.pools, self.tasks, self.seed = pools, tuple(tasks), seed
        model = AdaptedModel(base.model, adapter.target_modules)
        self.layout = Layout(model.modules, adapter.rank)
        self.settings = TrainingSettings(
            scale=adapter.alpha / adapter.rank,
            density=adapter.density,
            learning_rate=training.learning_rate,
            optimizer=training.optimizer,
            weight_decay=training.weight_decay,
            trainable_projection=recipe.projection == "trainable",
            masked=recipe.expansion == "gradient_mask",
        )
        self.trainer = GroupTrainer(model, self.layout, base.dtype, self.settings)
        self.evaluator = Evaluator(model, self.layout, base.dtype, self.settings.scale)
        self.work = Work.of(
            base.model, self.layout, trainable_projection=self.settings.trainable_projection
        )
        self.fleet = Fleet(self.layout, recipe, tasks, seed)
        weights = [float(len(self._own_rows(device))) for device in range(len(tasks))]
        self.exchange = Exchange(self.fleet, adapter.bits_per_value, weights)
        self._queue: list[FineTuning] = []
        self._scores: dict[tuple[str, str], list[Score]] = {}

    def _own_rows(self, device: int) -> range:
        """The training rows of a device: every n-th of its task's, where n devices share it."""
        task = self.tasks[device]
        peers = [other for other, of in enumerate(self.tasks) if of == task]
        return range(peers.index(device), len(self.pools[task].train), len(peers))

    def submit(self, device: int, round_: int) -> FineTuning:
        """Queues a device's local fine-tuning; nothing is computed yet but what it takes."""
        pool = self.pools[self.tasks[device]]
        own = self._own_rows(device)
        batches = tuple(
            pool.batch(
                own,
                seed=self.seed,
                device=device,
                round_=round_,
                step=step,
                size=self.training.batch_size,
            )
            for step in range(self.training.steps)
        )
        adapter = self.fleet.adapters[device]
        sizes, masked = self.layout.expansion_sizes, self.settings.masked
        trained = sum(kept_positions(n, self.settings.density) for n in sizes)
        trained = trained if masked else sum(sizes)
        trained += self.layout.projection_size if self.settings.trainable_projection else 0
        ranked = sum(sizes) if masked and adapter.values.numel() == 0 else 0
        work = self.work.workload(batches, trained=trained, ranked=ranked)
        job = FineTuning(self, device, round_, Lesson(adapter, batches), work)
        self._queue.append(job)
        return job

    def accept(self, job: FineTuning) -> FineTuned:
        """Makes a job's outcome the device's state; called by the job."""
        if job.outcome is None:
            self._settle()
        assert job.outcome is not None, "the job was discarded"
        adapter = job.outcome.adapter
        self.fleet.adapters[job.device] = adapter
        self.fleet.banks[job.device][job.device] = adapter
        return FineTuned(job.outcome.loss, self.exchange.update(job.device, job.round))

    def forget(self, job: FineTuning) -> None:
        """Drops a job, settled or not; called by the job."""
        self._queue = [other for other in self._queue if other is not job]

    def _settle(self) -> None:
        jobs = sorted(self._queue, key=lambda job: (job.device, job.round))
        self._queue = []
        longest = [job.lesson.longest for job in jobs]
        for group in passes(longest, [len(job.lesson.batches) for job in jobs]):
            outcomes = self.trainer.train([jobs[number].lesson for number in group])
            for number, outcome in zip(group, outcomes, strict=True):
                jobs[number].outcome = outcome

    def payload_bits(self, sender: int, receiver: int) -> int:
        """Bits of the sender's present update for this receiver."""
        return self.exchange.payload_bits(sender, receiver)

    def aggregate(self, device: int, inbox: Mapping[int, Update], ages: Mapping[int, int]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing."""
        self.exchange.aggregate(device, inbox, ages)

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Every device on every task; equal experts are scored once."""
        found: dict[tuple[str, str], list[Score]] = {}
        out = []
        for device in devices:
            for task, pool in self.pools.items():
                expert = self.fleet.expert(device, task)
                key = (task, "base model" if expert is None else expert.key)
                if key not in found:
                    known = self._scores.get(key)
                    found[key] = known or self.evaluator.scores(expert, pool.test)
                out += [Measurement(device, task, score) for score in found[key]]
        self._scores = found
        return out

    def layers(self, device: int) -> list[LayerState]:
        """Density and size of B by module."""
        return self.fleet.layers(device)

    def densities(self, devices: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(M, L) densities by device and module, and the modules' sizes (L,)."""
        return self.fleet.densities(devices)

    def collision(self, devices: Sequence[int]) -> float:
        """Measured share of positions of B that at least two of the devices train."""
        return self.fleet.collision(devices)
