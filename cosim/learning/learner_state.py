"""What of a learner is its state, to be stored and put back: whatever does not follow from the
scenario.

The base model, the rows, A where a seed gives it, and mixtures, which come out of the same updates
to the same bits, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cosim.learning.federation.hearing import Hearing
from cosim.learning.jobs import CalibrationJob, FineTuningJob, MixingJob
from cosim.learning.learner import ModelLearner
from cosim.learning.records import AnswerSheet, Score
from cosim.learning.state_tree import flatten, unflatten
from cosim.learning.training.lesson import Lesson, Outcome
from cosim.learning.training.pass_room import PassRoom
from cosim.methods.adapter import Adapter, Moments
from cosim.methods.calibration import Calibration
from cosim.methods.message import (
    Blocks,
    Common,
    Flight,
    Mask,
    Message,
    Renewed,
    Seed,
    Superposed,
    Turn,
    Values,
)
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload

# Attributes of the learner, and of its parts, that are stored as they are.
STORED = (
    "trainer.room",
    "fleet.states",
    "fleet.shared",
    "found",
    "post.knows",
    "post.unmixed",
    "post.copies.had",
    "post.copies.arrived",
    "post.numbering.count",
    "post.numbering.latest",
    "spoken",
    "scoring.known",
    "scoring.sheets",
    "scoring.reader.known",
    "pooled.latest",
    "pooled.ended",
    "diagnosis.norms",
    "diagnosis.realised.state",
)


@dataclass(frozen=True)
class OpenJob:
    """An open job is neither accepted nor discarded; it is stored without its batches, which are
    the scenario's.

    device: whose job it is.
    work: what it takes, counted.
    round: of a fine-tuning; None of a calibration or a mixture.
    adapter: the state at its start; None of a calibration or a mixture.
    kept: of its lesson, positions of each module that a mask will keep (L,); None as `adapter`.
    calibrates: whether the device is calibrated first.
    outcome: None until it is settled.
    hearing: what a mixture mixes; None of the others.
    cut: the FLOP after which it is stopped; None where it is not.
    correction: what its lesson takes off the gradient in each step, by factor.
    """

    device: int
    work: Workload
    round: int | None = None
    adapter: Adapter | None = None
    kept: NDArray[np.int64] | None = None
    calibrates: bool = False
    outcome: Outcome | None = None
    hearing: Hearing | None = None
    cut: int | None = None
    correction: Mapping[str, Tensor] = field(default_factory=dict)


KINDS = (
    *(Adapter, Calibration, DeviceState, Moments),
    *(Blocks, Common, Mask, Message, Renewed, Seed, Values),
    *(AnswerSheet, Flight, Hearing, OpenJob, Outcome, PassRoom, Score, Superposed, Turn, Workload),
)


def take(
    learner: ModelLearner, jobs: Mapping[int, Any], contents: Mapping[int, Any]
) -> tuple[Any, dict[str, Tensor]]:
    """The learner's state as JSON data and named tensors.

    jobs: submitted and neither accepted nor discarded. contents: updates and experts that are on
    their way. Nothing is copied; tensors are never changed in place. Raises StateError for what
    cannot be stored.
    """
    state = {name: attrgetter(name)(learner) for name in STORED}
    state["jobs"] = {number: _open_job(job) for number, job in jobs.items()}
    state["contents"] = dict(contents)
    return flatten(state, KINDS, _given(learner))


def put_back(
    learner: ModelLearner, record: Any, tensors: Mapping[str, Tensor]
) -> tuple[dict[int, Any], dict[int, Any]]:
    """Makes a fresh learner of the same scenario what the other was; the jobs and contents."""
    state = unflatten(record, {**tensors, **_given(learner)}, KINDS)
    for name in STORED:
        owner, _, attribute = name.rpartition(".")
        setattr(attrgetter(owner)(learner) if owner else learner, attribute, state[name])
    jobs = {number: _job(learner, job) for number, job in state["jobs"].items()}
    return jobs, state["contents"]


def _given(learner: ModelLearner) -> dict[str, Tensor]:
    """What every learner of the scenario draws anew."""
    return {f"given {device}": A for device, A in enumerate(learner.fleet.first_projections)}


def _open_job(job: FineTuningJob | CalibrationJob | MixingJob) -> OpenJob:
    if isinstance(job, MixingJob):
        return OpenJob(job.device, job.work, hearing=job.hearing)
    if isinstance(job, CalibrationJob):
        return OpenJob(job.device, job.work)
    start = job.lesson
    return OpenJob(
        job.device,
        job.work,
        job.round,
        start.adapter,
        start.kept,
        job.calibrates,
        job.outcome,
        cut=job.most_flop,
        correction=start.correction,
    )


def _job(learner: ModelLearner, job: OpenJob) -> FineTuningJob | CalibrationJob | MixingJob:
    if job.hearing is not None:
        return MixingJob(learner, job.device, job.hearing, job.work)
    if job.round is None or job.adapter is None:
        return CalibrationJob(learner, job.device, job.work)
    trains = learner.method.projection.trains(job.round)
    batches = learner.batches(job.device, job.round)
    lesson = Lesson(job.adapter, batches, job.kept, trains=trains, correction=job.correction)
    calibrates = job.calibrates
    tuning = FineTuningJob(learner, job.device, job.round, lesson, job.work, calibrates=calibrates)
    tuning.outcome = job.outcome
    if job.cut is not None:
        tuning.stop(job.cut, learner.costs_of(job.device))
    if job.outcome is None and not tuning.dropped:
        learner.queue.append(tuning)
    return tuning
