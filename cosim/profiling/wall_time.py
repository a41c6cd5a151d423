"""How long a run will keep the present machine busy: FLOP over the speeds at which it trains and
scores here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple

from cosim.learning.base.base_model import native_dtype
from cosim.learning.evaluation.request import ROWS_PER_PASS, ScoringRequest
from cosim.learning.forecast import asked_flop
from cosim.learning.prepare import prepare
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.passes import passes
from cosim.learning.training.shares import parts
from cosim.methods.adapter import Adapter
from cosim.methods.expert import Expert
from cosim.methods.workload import Workload
from cosim.profiling.machine import machine_name
from cosim.scenario.model import Scenario
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.setup.equipment import equipment

if TYPE_CHECKING:
    from cosim.learning.learner import ModelLearner

# Of what is timed: enough that products dominate, little enough that nobody waits for it.
_DEVICES, _STEPS, _QUESTIONS = 4, 2, 8


@dataclass(frozen=True)
class WallTime:
    """The wall time of a run on this machine, left alone, is foreseen.

    training_s: of all devices' fine-tuning.
    evaluation_s: of all scores.
    source: by which measurement.
    """

    training_s: float
    evaluation_s: float
    source: str

    @property
    def total_s(self) -> float:
        """Both, in s."""
        return self.training_s + self.evaluation_s


class Speeds(NamedTuple):
    """Speeds are those at which this machine, left alone, does the work of a run, in FLOP/s.

    training_flop_s: of all devices' steps.
    scoring_flop_s: of questions.
    """

    training_flop_s: float
    scoring_flop_s: float


def foreseen_by_profile(
    scenario: Scenario, work: Sequence[Workload], scoring_flop: float
) -> WallTime | None:
    """The wall time by a profile that was measured on this machine with the scenario's model, if a
    device has one; no model is loaded.

    work: a mean round's by device. scoring_flop: forward passes over what a device is asked in one
    evaluation; they are taken to be as fast as training.
    """
    choice = scenario.base_model
    here = machine_name(choice.device, native_dtype(choice.dtype, choice.device))
    for device in equipment(scenario):
        if f"measured: {here}, {choice.source}," in (device.profile.source or ""):
            training_s = sum(compute_time_s(device.profile, workload) for workload in work)
            speed_flop_s = sum(workload.flop for workload in work) / training_s
            return WallTime(
                training_s * scenario.rounds,
                _scores_flop(scenario, scoring_flop) / speed_flop_s,
                f"by the profile {device.name}",
            )
    return None


def foreseen_by_timing(
    scenario: Scenario,
    work: Sequence[Workload],
    scoring_flop: float,
    speeds: Speeds | None = None,
) -> WallTime:
    """The wall time by a few steps and questions that are timed now, with the model that the run
    would have.

    work, scoring_flop: as `foreseen_by_profile` takes them. Devices whose experts turn out equal
    are scored once, which is not known before. Calibration, mixing and the network are not in it:
    they take a few per cent of most runs, and more where a method calibrates or decomposes.
    speeds: of another run with the same model, to time nothing. Raises CosimError for a model or
    task that cannot be used.
    """
    speeds = speeds or timed_speeds(scenario)
    training_flop = scenario.rounds * sum(workload.flop for workload in work)
    return WallTime(
        training_flop / speeds.training_flop_s,
        _scores_flop(scenario, scoring_flop) / speeds.scoring_flop_s,
        "by a few steps and questions that were timed now",
    )


def timed_speeds(scenario: Scenario) -> Speeds:
    """The speeds of this machine with the model, rank and batches of a scenario, timed now; raises
    CosimError for a model or task that cannot be used."""
    learner = prepare(_brief(scenario))
    try:
        return _speeds(learner, scenario)
    finally:
        learner.close()


def _scores_flop(scenario: Scenario, scoring_flop: float) -> float:
    """All evaluations: of each device after every so many rounds and the last, and once of the base
    model, with which all begin."""
    times = math.ceil(scenario.rounds / scenario.evaluation.every) * scenario.device_count + 1
    return times * scoring_flop


def _brief(scenario: Scenario) -> Scenario:
    """The same with rounds of a few steps and evaluations of a few questions."""
    training, evaluation = scenario.training, scenario.evaluation
    return scenario.model_copy(
        update={
            "training": training.model_copy(update={"steps": min(training.steps, _STEPS)}),
            "evaluation": evaluation.model_copy(
                update={"samples": min(evaluation.samples, _QUESTIONS)}
            ),
            "learning": scenario.learning.model_copy(update={"executor": "in_process"}),
        }
    )


class _Stopwatch:
    """A stopwatch tells how long work takes that many threads share: on a processor by the time of
    one, whoever else is at work on the machine."""

    def __init__(self, learner: ModelLearner) -> None:
        self._on_processor = learner.base.device.type == "cpu"
        self._began_s = self._now_s()

    def _now_s(self) -> float:
        return process_time() if self._on_processor else perf_counter()

    def flop_s(self, flop: float, at_once: int) -> float:
        """The speed of so many FLOP since it was made, where so many threads would share them."""
        return flop / (self._now_s() - self._began_s) * (at_once if self._on_processor else 1)


def _threads(learner: ModelLearner, scenario: Scenario) -> int:
    """How many compute at once in the run: Ray's workers, or this process's threads."""
    learning = scenario.learning
    assert learning.model == "language_model"
    return learning.workers if learning.executor == "ray" else learner.scoring.evaluator.threads


def _shares(learner: ModelLearner, scenario: Scenario, tokens: float) -> int:
    """How many shares of a round there are to compute at once, where a device reads so many tokens
    a step."""
    threads = _threads(learner, scenario)
    if not learner.trainer.model.lean:
        return threads  # which each product is divided among
    devices, most = scenario.device_count, learner.devices_per_pass
    return min(threads, math.ceil(devices / most) * parts(round(min(devices, most) * tokens)))


def _speeds(learner: ModelLearner, scenario: Scenario) -> Speeds:
    """FLOP/s of training and of scoring, as a round of the run does both: of a few devices in
    common passes, with their own rows."""
    devices = range(min(len(learner.tasks), learner.devices_per_pass, _DEVICES))
    work, lessons = 0.0, []
    for device in devices:
        state, batches = learner.fleet.states[device], learner.batches(device, 1)
        kept, trains = learner.fleet.planned(device, None), learner.method.projection.trains(1)
        work += (
            learner.costs_of(device).workload(batches, int(kept.sum()), trains, chooses=False).flop
        )
        lessons.append(Lesson(state.adapter, batches, kept, trains=trains))
    groups = passes(
        [lesson.longest for lesson in lessons],
        [len(lesson.batches) for lesson in lessons],
        padded=not learner.trainer.model.lean,
        devices_per_pass=learner.devices_per_pass,
    )
    # The first time products choose their kernels, and adapters their masks.
    once = [replace(lesson, batches=lesson.batches[:1]) for lesson in lessons]
    adapters = _trained(learner, groups, once)
    lessons = [
        replace(lesson, adapter=adapter) for lesson, adapter in zip(lessons, adapters, strict=True)
    ]
    watch = _Stopwatch(learner)
    adapters = _trained(learner, groups, lessons)
    tokens = fmean(lesson.tokens / len(lesson.batches) for lesson in lessons)
    training_flop_s = watch.flop_s(work, _shares(learner, scenario, tokens))
    requests = [
        ScoringRequest(Expert((adapter,)), pool.test)
        for adapter in adapters
        for pool in learner.pools.values()
    ]
    questions = [question for request in requests for question in request.questions]
    asked = sum(asked_flop(learner.work, question) for question in questions)
    learner.executor.score(learner.scoring.evaluator, requests[: len(learner.pools)])
    watch = _Stopwatch(learner)
    learner.executor.score(learner.scoring.evaluator, requests)
    rows = sum(request.candidates for request in requests) / len(questions)
    rows *= scenario.device_count * scenario.evaluation.samples * len(learner.pools)
    at_once = min(_threads(learner, scenario), math.ceil(rows / ROWS_PER_PASS))
    return Speeds(training_flop_s, watch.flop_s(asked, at_once))


def _trained(
    learner: ModelLearner, groups: Sequence[Sequence[int]], lessons: Sequence[Lesson]
) -> list[Adapter]:
    """The adapters of all lessons after passes over such groups of them."""
    taken = [[lessons[number] for number in group] for group in groups]
    outcomes = learner.executor.train(learner.trainer, taken)
    adapters = {
        number: outcome.adapter
        for group, results in zip(groups, outcomes, strict=True)
        for number, outcome in zip(group, results, strict=True)
    }
    return [adapters[number] for number in range(len(lessons))]
