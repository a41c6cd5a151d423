"""The scenario's model made ready to train one device's job at a time."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from cosim.errors import ProfileError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import BaseModel, load
from cosim.learning.base.geometry import embedded_tokens
from cosim.learning.costs.flop import Work
from cosim.learning.prepare import read_tasks, refuse_unplayable
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.trainer import GroupTrainer, TrainingSettings
from cosim.methods.adapter import Adapter
from cosim.methods.expansion.dense import Dense
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.layout import Layout, kept_positions
from cosim.methods.projection.gaussian import gaussian_projection
from cosim.methods.workload import Workload
from cosim.profiling.jobs import ProfilingJob, batches_of
from cosim.scenario.model import Scenario


@dataclass(frozen=True)
class Exercise:
    """An exercise is a job that can be trained again and again, each time from the same state.

    job: what is timed.
    trainer: of the job's rank and settings.
    lesson: the state at the start and the mini-batches.
    work: what training it takes, counted.
    """

    job: ProfilingJob
    trainer: GroupTrainer
    lesson: Lesson
    work: Workload

    def train(self) -> Adapter:
        """Trains the job's steps, alone, and returns the adapter."""
        return self.trainer.train([self.lesson])[0].adapter


class Bench:
    """A bench is the scenario's base model with its target modules adapted, at any rank."""

    def __init__(self, scenario: Scenario) -> None:
        """Loads the model and reads the tasks, for their rows' lengths; raises CosimError."""
        if scenario.learning.model == "none":
            raise ProfileError(
                "learning: 'none' trains nothing; a profile is measured on a scenario that learns"
            )
        self.scenario = scenario
        self.base: BaseModel = load(
            scenario.base_model.source, scenario.base_model.dtype, scenario.base_model.device
        )
        pools = read_tasks(scenario, self.base.tokenizer)
        refuse_unplayable(scenario, self.base.model, self.base.tokenizer, pools)
        self.tokens = round(median(row.tokens for pool in pools.values() for row in pool.train))
        self._model = AdaptedModel(self.base.model, scenario.adapter.target_modules)

    def exercises(self, job: ProfilingJob) -> list[Exercise]:
        """The job as a device's first round; where that chooses a mask, a later one too."""
        scenario = self.scenario
        layout = Layout(self._model.modules, job.rank)
        batches = batches_of(
            job,
            embedded_tokens(self.base.model),
            scenario.seed,
            scenario.training.max_tokens,
        )
        settings = TrainingSettings(
            scale=scenario.adapter.alpha / scenario.adapter.rank,
            density=1.0 if job.density is None else job.density,
            learning_rate=scenario.training.learning_rate,
            optimizer=scenario.training.optimizer,
            weight_decay=scenario.training.weight_decay,
            trainable_projection=not job.masked,
            expansion=GradientMask() if job.masked else Dense(),
        )
        work = Work.of(self.base.model, layout, trainable_projection=not job.masked)
        trainer = GroupTrainer(self._model, layout, self.base.dtype, settings)
        start = _blank(layout, scenario.seed, masked=job.masked)
        if job.density is None:
            trained = layout.expansion_size + layout.projection_size
            load_ = work.workload(batches, trained=trained)
            return [Exercise(job, trainer, Lesson(start, batches), load_)]
        trained = sum(kept_positions(size, job.density) for size in layout.expansion_sizes)
        first = Exercise(
            job,
            trainer,
            Lesson(start, batches),
            work.workload(batches, trained=trained, ranked=layout.expansion_size),
        )
        later = Exercise(
            job,
            trainer,
            Lesson(first.train(), batches),
            work.workload(batches, trained=trained),
        )
        return [first, later]


def _blank(layout: Layout, seed: int, *, masked: bool) -> Adapter:
    """An adapter before its first round: B is zero, and where it is masked without a support."""
    import torch

    A = gaussian_projection(layout, seed, "calibration")
    if masked:
        return Adapter(torch.zeros(0), torch.zeros(0, dtype=torch.long), A)
    return Adapter(torch.zeros(layout.expansion_size), None, A)
