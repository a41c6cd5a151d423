"""What a device submits when it starts to compute, and asks for when it finishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from cosim.host.phases import Phase
from cosim.learning.costs.round_costs import RoundCosts
from cosim.learning.execution.executor import Executor
from cosim.learning.federation.hearing import Hearing
from cosim.learning.records import FineTuned
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.passes import passes
from cosim.learning.training.trainable import Trainer
from cosim.methods.workload import Workload


class Employer(Protocol):
    """The employer is the learner as a job sees it: it takes the job's result or takes the job
    back."""

    def accept(self, job: FineTuningJob) -> FineTuned:
        """Settles a job if need be, and makes its outcome the device's own."""

    def cut_short(self, job: FineTuningJob, flop: int) -> None:
        """Has a job that waits do no more FLOP than these."""

    def forget(self, job: FineTuningJob) -> None:
        """Takes a job back as if it had never been given."""

    def accept_mixture(self, job: MixingJob) -> None:
        """Mixes what a device has heard into its state."""

    def accept_calibration(self, device: int, when: str) -> None:
        """Makes what was read of a device's rows its own."""


class FineTuningJob:
    """A fine-tuning job trains one device for a round, and depends on its state at submission
    alone.

    calibrates: the device has not been calibrated, so that this is done first; `work` counts it.
    most_flop: the FLOP after which it is stopped; None where it is not.
    reached: how many adapted blocks, counted from the last, it trains; None: all of them.
    phase: what its computing is counted as.
    """

    phase = Phase.TRAINING

    def __init__(
        self,
        learner: Employer,
        device: int,
        round_: int,
        lesson: Lesson,
        work: Workload,
        *,
        calibrates: bool,
    ) -> None:
        self._learner = learner
        self.device, self.round = device, round_
        self.lesson, self.work, self.calibrates = lesson, work, calibrates
        self.outcome: Outcome | None = None
        self.most_flop: int | None = None
        self.reached: int | None = None

    @property
    def dropped(self) -> bool:
        """Whether it is stopped before there is anything to be kept."""
        return self.reached == 0

    def stop(self, flop: int, costs: RoundCosts) -> None:
        """Has it, before it is settled, train what so many FLOP come to."""
        lesson, layout = self.lesson, costs.layout
        progress = costs.progress(flop, self.work, lesson.batches, lesson.trains or frozenset())
        depth, blocks = progress.depth(layout), len(layout.blocks)
        self.most_flop = flop
        # A block that has ended one step holds something new.
        self.reached = depth if progress.steps == 0 and depth < blocks else None
        batches = lesson.batches[: progress.steps + (depth > 0)]
        last = depth if 0 < depth < blocks else None
        self.lesson = replace(lesson, batches=batches, reached=last)

    def cut(self, flop: int) -> None:
        """Has the job, which nobody has settled, do no more FLOP than these."""
        self._learner.cut_short(self, flop)

    def result(self) -> FineTuned:
        """Settles every job submitted so far if need be, and hands the device its new adapter."""
        return self._learner.accept(self)

    def discard(self) -> None:
        """Forgets the job: the device's state stays as it was at submission."""
        self._learner.forget(self)


class CalibrationJob:
    """A calibration job calibrates one device, which gives its densities before it has a mask."""

    phase = Phase.CALIBRATION

    def __init__(self, learner: Employer, device: int, work: Workload) -> None:
        self._learner = learner
        self.device, self.work = device, work

    def cut(self, flop: int) -> None:
        """Nothing cuts a calibration short: what a deadline counts is local steps."""

    def result(self) -> FineTuned:
        """Makes what the base model has read the device's own; nothing is trained or sent."""
        self._learner.accept_calibration(self.device, "before its first round")
        return FineTuned(loss=None)

    def discard(self) -> None:
        """Nothing has been read yet."""


class MixingJob:
    """A mixing job mixes a device's inbox: its work is known at once, its result when asked for."""

    phase = Phase.MIXING

    def __init__(self, learner: Employer, device: int, hearing: Hearing, work: Workload) -> None:
        self._learner = learner
        self.device, self.hearing, self.work = device, hearing, work

    def cut(self, flop: int) -> None:
        """Nothing cuts a mixing short."""

    def result(self) -> None:
        """Makes the mixture the device's state."""
        self._learner.accept_mixture(self)

    def discard(self) -> None:
        """Nothing has been mixed yet."""


def train_together(
    jobs: Sequence[FineTuningJob], trainer: Trainer, executor: Executor, devices_per_pass: int
) -> None:
    """Gives every job its outcome, in passes of `devices_per_pass` devices at most; trainer: whose
    forward and backward pass it is."""
    groups = passes(
        [job.lesson.longest for job in jobs],
        [len(job.lesson.batches) for job in jobs],
        padded=not trainer.model.lean,
        devices_per_pass=devices_per_pass,
    )
    lessons = [[jobs[number].lesson for number in group] for group in groups]
    outcomes_of = executor.train(trainer, lessons)
    for group, outcomes in zip(groups, outcomes_of, strict=True):
        for number, outcome in zip(group, outcomes, strict=True):
            jobs[number].outcome = outcome
