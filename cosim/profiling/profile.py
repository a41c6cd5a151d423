"""The whole of `cosim profile`: time the jobs, fit, and say where each figure comes from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from statistics import median

from cosim.errors import ProfileError
from cosim.profiling.bench import Bench
from cosim.profiling.contention import MOST_CONTENTION, MOST_ERROR, PLAIN_CONTENTION, busy_sentence
from cosim.profiling.fit import fit
from cosim.profiling.jobs import profiling_jobs
from cosim.profiling.machine import machine_name
from cosim.profiling.measure import Timing, time_jobs
from cosim.profiling.write import measured_profile, source_of
from cosim.scenario.catalogue import named_profile, refuse_unknown_profile
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Power:
    """A power is what cannot be measured here: another profile's figures, and watts that are given.

    of: the other profile's name, or `path:<file>`.
    profile: the other profile.
    compute_w, idle_w: W while computing and while idle; None: the other profile's.
    """

    of: str
    profile: Profile
    compute_w: float | None = None
    idle_w: float | None = None

    @classmethod
    def named(cls, name: str, compute_w: float | None = None, idle_w: float | None = None) -> Power:
        """The power of a catalogue name or `path:<file>`; raises CosimError."""
        try:
            refuse_unknown_profile(name)
        except ValueError as error:
            raise ProfileError(f"--power-of: {error}") from None
        return cls(name, named_profile(name), compute_w, idle_w)

    @property
    def given(self) -> list[str]:
        """Which watts are given and not copied."""
        options = {"compute_w": self.compute_w, "idle_w": self.idle_w}
        return [name for name, watts in options.items() if watts is not None]


@dataclass(frozen=True)
class Profiled:
    """A profiled machine has a measured profile, and the timings that it was fitted to.

    profile: with its source in words.
    timings: one a job.
    on_gpu: whether the jobs were trained on a GPU, where contention for a processor tells nothing.
    """

    profile: Profile
    timings: list[Timing]
    on_gpu: bool = False

    @property
    def doubts(self) -> list[str]:
        """Why the profile is not that of the machine left alone; empty where it is."""
        doubts = []
        contention = median(timing.contention for timing in self.timings)
        if contention > MOST_CONTENTION and not self.on_gpu:
            doubts.append(busy_sentence(contention))
        error = median(abs(timing.error(self.profile)) for timing in self.timings)
        if error > MOST_ERROR:
            doubts.append(f"the durations fit no profile: the median error is {error:.0%}")
        return doubts


def profile_machine(
    scenario: Scenario,
    power: Power,
    tell: Callable[[int, int], None] = lambda number, of: None,
    *,
    anyway: bool = False,
) -> Profiled:
    """The present machine's profile for the scenario's model, target modules and rank.

    Raises CosimError for a model or task that cannot be used, or durations that fit no profile,
    and BusyMachineError where the machine is plainly busy, unless it is to be measured `anyway`.
    """
    bench = Bench(scenario)
    jobs = profiling_jobs(scenario.training.batch_size, bench.tokens, scenario.adapter.rank)
    _log.info("timing %d jobs; leave the machine alone meanwhile", len(jobs))
    on_gpu = scenario.base_model.device == "cuda"
    most_contention = inf if anyway or on_gpu else PLAIN_CONTENTION
    timings = time_jobs(bench, jobs, tell=tell, most_contention=most_contention)
    draft = measured_profile(fit(timings), power.profile, "measured", power.compute_w, power.idle_w)
    errors = [timing.error(draft) for timing in timings]
    source = source_of(
        scenario,
        machine_name(bench.base.device.type, bench.base.dtype),
        errors,
        power.of,
        power.given,
    )
    profile = draft.model_copy(update={"source": source})
    return Profiled(profile, timings, on_gpu)
