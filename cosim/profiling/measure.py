"""Timing jobs on the present machine, and what the timings say about a profile of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from time import perf_counter

from cosim.methods.workload import Workload
from cosim.profiling.bench import Bench, Exercise
from cosim.profiling.contention import ContentionWatch, Patience
from cosim.profiling.jobs import ProfilingJob
from cosim.scenario.profile import Profile
from cosim.simulation.compute_time import compute_time_s

REPEATS = 3


@dataclass(frozen=True)
class Timing:
    """A timing is how long a job took on this machine.

    job: what was timed.
    work: what training it took, counted.
    measured_s: wall time, the median of its repeats.
    contention: wall time over the time in which this process was not kept from a processor.
    """

    job: ProfilingJob
    work: Workload
    measured_s: float
    contention: float = 1.0

    def error(self, profile: Profile) -> float:
        """Predicted over measured duration, less one."""
        return compute_time_s(profile, self.work) / self.measured_s - 1


def time_jobs(
    bench: Bench,
    jobs: Sequence[ProfilingJob],
    repeats: int = REPEATS,
    *,
    tell: Callable[[int, int], None] = lambda number, of: None,
    most_contention: float = inf,
) -> list[Timing]:
    """Every job's duration; `tell` hears how many are done, and of how many.

    Raises BusyMachineError as soon as it is plain that contention is above `most_contention`: on a
    busy machine all repeats take many times as long as on one that is left alone.

    The repeats go round all jobs, so that a disturbance meets a repeat of several and not all
    of one. Nothing is timed until each job has been trained once.
    """
    patience = Patience(most_contention)
    exercises: list[Exercise] = []
    for job in jobs:
        exercises += bench.exercises(job)
        patience.check()
    for exercise in exercises:
        if exercise.work.ranked == 0:  # those that choose a mask were trained to have one
            exercise.train()
            patience.check()
    durations: list[list[float]] = [[] for _ in exercises]
    contentions: list[list[float]] = [[] for _ in exercises]
    for repeat in range(repeats):
        for number, exercise in enumerate(exercises):
            watch = ContentionWatch.started()
            durations[number].append(seconds_of(exercise))
            contentions[number].append(watch.contention())
            patience.check()
            tell(repeat * len(exercises) + number + 1, repeats * len(exercises))
    return [
        Timing(exercise.job, exercise.work, median(times), median(ratios))
        for exercise, times, ratios in zip(exercises, durations, contentions, strict=True)
    ]


def seconds_of(exercise: Exercise) -> float:
    """Wall time of one training of the job."""
    start = perf_counter()
    exercise.train()
    return perf_counter() - start
