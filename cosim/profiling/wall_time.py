"""How long a run will keep the present machine busy: FLOP over the speed of one timed job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from cosim.learning.threads import one_thread_aside
from cosim.methods.workload import Workload
from cosim.profiling.bench import Bench, Exercise
from cosim.profiling.contention import Watch
from cosim.profiling.jobs import CalibrationJob
from cosim.profiling.machine import machine_name
from cosim.scenario.model import Scenario
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.setup.equipment import equipment

# Of the timed job: enough that products dominate, little enough that nobody waits for it.
_TOKENS, _ROW, _TOGETHER = 1024, 256, 8


@dataclass(frozen=True)
class WallTime:
    """The wall time of a run on this machine, left alone, foreseen.

    training_s: of all devices' fine-tuning.
    evaluation_s: of all scores.
    source: by which measurement.
    contention: how many times as long it took to measure as it would have left alone.
    """

    training_s: float
    evaluation_s: float
    source: str
    contention: float = 1.0

    @property
    def total_s(self) -> float:
        """Both, in s."""
        return self.training_s + self.evaluation_s


def wall_time(scenario: Scenario, work: Sequence[Workload], scoring_flop: float) -> WallTime:
    """By a profile measured here, where a device has one, else by a job that is timed now.

    work: a mean round's by device.
    scoring_flop: forward passes over what a device is asked in one evaluation.

    Calibration, mixing and the network are not in it: they take a few per cent of most runs, and
    more where a method calibrates or decomposes. Raises CosimError for a model or task that cannot
    be used.
    """
    import torch

    bench = Bench(scenario)
    # After every so many rounds and the last; before the first all devices are one, the base model.
    times = math.ceil(scenario.rounds / scenario.evaluation.every) * scenario.device_count + 1
    scores_flop = times * scoring_flop
    here = machine_name(bench.base)
    for device in equipment(scenario):
        if f"measured: {here}" in (device.profile.source or ""):
            training_s = sum(compute_time_s(device.profile, workload) for workload in work)
            speed_flop_s = sum(workload.flop for workload in work) / training_s
            return WallTime(
                training_s * scenario.rounds,
                scores_flop / speed_flop_s,
                f"by the profile {device.name}",
            )
    tokens = min(bench.tokens, _ROW)
    rows = max(1, min(scenario.training.batch_size, _TOKENS // tokens))
    job = CalibrationJob(rows, tokens, scenario.adapter.rank, None)
    (exercise,) = bench.exercises(job)
    # A run plays passes side by side, one thread each.
    shares = torch.get_num_threads() if bench.base.device.type == "cpu" else 1
    together = max(1, min(scenario.device_count // shares, _TOGETHER))
    with one_thread_aside() as aside:
        taken_s, contention = aside.submit(_timed, exercise, together).result()
    speed_flop_s = shares * together * exercise.work.flop / taken_s * contention
    training_flop = scenario.rounds * sum(workload.flop for workload in work)
    return WallTime(
        training_flop / speed_flop_s,
        scores_flop / speed_flop_s,
        "by a job of two steps that was timed now",
        contention,
    )


def _timed(exercise: Exercise, together: int) -> tuple[float, float]:
    """The wall time of so many trainings in one pass, in s, and the contention meanwhile."""
    lessons = [exercise.lesson] * together
    exercise.trainer.train(lessons)  # the first time products choose their kernels
    watch = Watch.started()
    exercise.trainer.train(lessons)
    return perf_counter() - watch.wall_s, watch.contention()
