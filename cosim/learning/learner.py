"""The learner: devices submit fine-tuning when they start, and ask for it when they finish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.adapter import Adapter, Expert, Layout, gaussian_projection
from cosim.learning.aggregate import (
    Update,
    as_transmitted,
    mean,
    measured_collision_rate,
    support_normalised_mean,
)
from cosim.learning.base_model import BaseModel
from cosim.learning.evaluate import Evaluator
from cosim.learning.flop import Work
from cosim.learning.payload import introduction_bits, values_bits
from cosim.learning.report import FineTuned, LayerState, Measurement, Score
from cosim.learning.tasks.pool import TaskPool
from cosim.learning.train import GroupTrainer, Lesson, Outcome, TrainingSettings
from cosim.methods.recipe import Recipe
from cosim.scenario.learning import Adapter as AdapterChoice
from cosim.scenario.learning import Training

# Grouping changes nothing but speed; these bound the memory and the padding of a pass.
DEVICES_PER_PASS = 16
PADDING_RATIO = 1.5


class FineTuning:
    """A submitted job; it depends on the device's state at submission and on nothing later."""

    def __init__(self, learner: Learner, device: int, round_: int, lesson: Lesson, flop: int):
        self._learner = learner
        self.device = device
        self.round = round_
        self.lesson = lesson
        self.flop = flop
        self.outcome: Outcome | None = None

    @property
    def longest(self) -> int:
        """Tokens of the longest row of all batches."""
        return max(row.tokens for batch in self.lesson.batches for row in batch)

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
        self.base, self.recipe, self.choice, self.training = base, recipe, adapter, training
        self.pools, self.tasks, self.seed = pools, tuple(tasks), seed
        self.model = AdaptedModel(base.model, adapter.target_modules)
        self.layout = Layout(self.model.modules, adapter.rank)
        settings = TrainingSettings(
            scale=adapter.alpha / adapter.rank,
            density=adapter.density,
            learning_rate=training.learning_rate,
            optimizer=training.optimizer,
            weight_decay=training.weight_decay,
            trainable_projection=recipe.projection == "trainable",
            masked=recipe.expansion == "gradient_mask",
        )
        self.trainer = GroupTrainer(self.model, self.layout, base.dtype, settings)
        self.evaluator = Evaluator(self.model, self.layout, base.dtype, settings.scale)
        self.work = Work.of(
            base.model, self.layout, trainable_projection=settings.trainable_projection
        )
        self.settings = settings
        self.adapters = self._initial_adapters()
        self.banks: list[dict[int, Adapter]] = [{} for _ in self.tasks]
        self._introduced: set[tuple[int, int]] = set()
        self._queue: list[FineTuning] = []
        self._averages: dict[tuple[tuple[int, int], ...], dict[int, Adapter]] = {}
        self._scores: dict[tuple[str, str], list[Score]] = {}

    def _initial_adapters(self) -> list[Adapter]:
        """ΔW = 0 everywhere: B starts at zero, A as the recipe's projection says."""
        own = self.recipe.projection == "frozen_own_seed"
        common = None if own else gaussian_projection(self.layout, self.seed, "shared")
        blank = torch.zeros(0, dtype=torch.long)
        adapters = []
        for device in range(len(self.tasks)):
            A = gaussian_projection(self.layout, self.seed, device) if common is None else common
            if self.settings.masked:
                adapters.append(Adapter(torch.zeros(0), blank, A))
            else:
                adapters.append(Adapter(torch.zeros(self.layout.expansion_size), None, A))
        return adapters

    def submit(self, device: int, round_: int) -> FineTuning:
        """Queues a device's local fine-tuning; nothing is computed yet but its FLOP."""
        pool = self.pools[self.tasks[device]]
        peers = [other for other, task in enumerate(self.tasks) if task == pool.name]
        batches = tuple(
            tuple(
                pool.batch(
                    seed=self.seed,
                    device=device,
                    round_=round_,
                    step=step,
                    size=self.training.batch_size,
                    share=peers.index(device),
                    shares=len(peers),
                )
            )
            for step in range(self.training.steps)
        )
        adapter = self.adapters[device]
        flop = self.work.training_flop(batches)
        if self.settings.masked and adapter.values.numel() == 0:
            flop += self.work.training_flop(batches[:1])  # the gradient that chooses the mask
        job = FineTuning(self, device, round_, Lesson(adapter, batches), flop)
        self._queue.append(job)
        return job

    def accept(self, job: FineTuning) -> FineTuned:
        """Makes a job's outcome the device's state; called by the job."""
        if job.outcome is None:
            self._settle()
        assert job.outcome is not None, "the job was discarded"
        adapter = job.outcome.adapter
        self.adapters[job.device] = adapter
        self.banks[job.device][job.device] = adapter
        return FineTuned(job.outcome.loss, self._update(job.device, job.round))

    def _update(self, device: int, round_: int) -> Update:
        """The device's adapter as its receivers will read it."""
        adapter = self.adapters[device]
        per_value = self.choice.bits_per_value
        projected = self.recipe.projection == "trainable"
        return Update(
            device=device,
            round=round_,
            values=as_transmitted(adapter.values, per_value),
            support=adapter.support,
            projection=as_transmitted(adapter.projection, per_value) if projected else None,
            weight=float(len(self.pools[self.tasks[device]].train)),
        )

    def forget(self, job: FineTuning) -> None:
        """Drops a job, settled or not; called by the job."""
        self._queue = [other for other in self._queue if other is not job]

    def _settle(self) -> None:
        jobs = sorted(self._queue, key=lambda job: (job.device, job.round))
        self._queue = []
        for group in _passes(jobs):
            outcomes = self.trainer.train([job.lesson for job in group])
            for job, outcome in zip(group, outcomes, strict=True):
                job.outcome = outcome

    def payload_bits(self, sender: int, receiver: int) -> int:
        """Bits of the sender's present update for this receiver, by the recipe's parts."""
        adapter = self.adapters[sender]
        bits = values_bits(
            adapter.values.numel(),
            self.layout.projection_size,
            self.recipe.projection,
            self.choice.bits_per_value,
        )
        if (sender, receiver) in self._introduced:
            return bits
        kept = None if adapter.support is None else self._kept_by_module(adapter)
        return bits + introduction_bits(self.layout.expansion_sizes, kept, self.recipe.projection)

    def aggregate(self, device: int, inbox: Mapping[int, Update]) -> None:
        """Mixes what arrived into the device's state; an empty inbox changes nothing.

        A device aggregates its own update as the others receive it, so that devices with the same
        inbox end with the same average.
        """
        self._introduced.update((sender, device) for sender in inbox)
        if not inbox or self.recipe.aggregation == "none":
            return
        own = self.adapters[device]
        updates = dict(inbox)
        updates[device] = self._update(device, max(update.round for update in inbox.values()))
        ordered = [updates[sender] for sender in sorted(updates)]
        read_back = self._average(ordered)
        mixed = read_back[device]
        self.adapters[device] = Adapter(mixed.values, own.support, mixed.projection, own.moments)
        if self.recipe.aggregation == "support_normalised":
            self.banks[device].update(read_back)

    def _average(self, updates: Sequence[Update]) -> dict[int, Adapter]:
        """The aggregate read back through every contributor's support and projection."""
        name = tuple((update.device, update.round) for update in updates)
        if name in self._averages:
            return self._averages[name]
        newest = max(update.round for update in updates)
        self._averages = {
            key: kept
            for key, kept in self._averages.items()
            if max(round_ for _, round_ in key) == newest
        }
        size = self.layout.expansion_size
        sent_projection = None
        if self.recipe.aggregation == "mean":
            total, sent_projection = mean(updates, size)
        else:
            total = support_normalised_mean(updates, size)
        read_back = {}
        for update in updates:
            values = total if update.support is None else total[update.support]
            A = sent_projection
            if A is None:
                A = self.adapters[update.device].projection
            read_back[update.device] = Adapter(values, update.support, A)
        self._averages[name] = read_back
        return read_back

    def expert(self, device: int, task: str) -> Expert | None:
        """What a device answers a task with: the recipe's composition at inference."""
        if self.recipe.composition == "single":
            return Expert((self.adapters[device],))
        bank = self.banks[device]
        members = tuple(bank[owner] for owner in sorted(bank) if self.tasks[owner] == task)
        return Expert(members) if members else None

    def evaluate(self, devices: Iterable[int]) -> list[Measurement]:
        """Every device on every task; equal experts are scored once."""
        fresh: dict[tuple[str, str], list[Score]] = {}
        out = []
        for device in devices:
            for task, pool in self.pools.items():
                expert = self.expert(device, task)
                if expert is not None and expert.silent:
                    expert = None
                key = (task, "base model" if expert is None else expert.key)
                if key not in fresh:
                    fresh[key] = self._scores.get(key) or self.evaluator.scores(expert, pool.test)
                out += [Measurement(device, task, score) for score in fresh[key]]
        self._scores = fresh
        return out

    def layers(self, device: int) -> list[LayerState]:
        """Density and size of B by module."""
        adapter = self.adapters[device]
        sizes = self.layout.expansion_sizes
        kept = np.array(sizes) if adapter.support is None else self._kept_by_module(adapter)
        return [
            LayerState(module.layer, module.name, int(active) / size, size, int(active))
            for module, size, active in zip(self.layout.modules, sizes, kept, strict=True)
        ]

    def densities(self, devices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """(M, L) densities by device and module, and the modules' sizes d·r as weights (L,)."""
        sizes = self._sizes
        rows = []
        for device in devices:
            adapter = self.adapters[device]
            kept = sizes if adapter.support is None else self._kept_by_module(adapter)
            rows.append(kept / sizes)
        return np.array(rows), sizes

    def collision(self, devices: Sequence[int]) -> float:
        """Measured share of positions of B that at least two of the devices train."""
        supports = [self.adapters[device].support for device in devices]
        if any(support is None for support in supports):
            return 1.0 if len(supports) > 1 else 0.0
        return measured_collision_rate(
            [s for s in supports if s is not None], int(sum(self._sizes))
        )

    @cached_property
    def _sizes(self) -> np.ndarray:
        return np.array(self.layout.expansion_sizes)

    def _kept_by_module(self, adapter: Adapter) -> np.ndarray:
        assert adapter.support is not None
        ends = np.cumsum(self._sizes)
        below = np.searchsorted(adapter.support.numpy(), ends)
        return np.diff(below, prepend=0)


def _passes(jobs: Sequence[FineTuning]) -> list[list[FineTuning]]:
    """Jobs that one grouped step takes together: equally many steps, similar lengths, few enough.

    Rows are padded to the longest of a pass, so jobs are ordered by their longest row and a pass
    ends where padding would exceed a part of it.
    """
    ordered = sorted(jobs, key=lambda job: (len(job.lesson.batches), job.longest, job.device))
    passes: list[list[FineTuning]] = []
    for job in ordered:
        last = passes[-1] if passes else None
        if (
            last is not None
            and len(last) < DEVICES_PER_PASS
            and len(last[0].lesson.batches) == len(job.lesson.batches)
            and job.longest <= PADDING_RATIO * last[0].longest
        ):
            last.append(job)
        else:
            passes.append([job])
    return passes
