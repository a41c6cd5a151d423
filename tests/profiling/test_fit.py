"""A fit finds the law behind durations, stays near it under noise, and refuses what has none."""

import numpy as np
import pytest

from cosim.errors import ProfileError
from cosim.methods.workload import Workload
from cosim.profiling.fit import Fitted, fit
from cosim.profiling.jobs import ProfilingJob
from cosim.profiling.measure import Timing
from tests.profiling.lawful import LAW, lawful_s

JOB = ProfilingJob(1, 1, 1, None)
WORKS = [
    Workload(flop, passes, 2, 2 * size, trained, ranked)
    for flop, size, trained in ((1e6, 1, 400), (8e6, 8, 9000), (3e7, 4, 2000), (9e6, 2, 30_000))
    for passes, ranked in ((2, 0), (3, 60_000))
]


def timings(seconds: list[float]) -> list[Timing]:
    return [Timing(JOB, work, own) for work, own in zip(WORKS, seconds, strict=True)]


def as_law(fitted: Fitted) -> dict[str, float]:
    compute = fitted.compute
    return {
        "flop_s": fitted.flop_s,
        "pass_s": compute.pass_overhead_s,
        "update_s": compute.value_update_s,
        "ranking_s": compute.value_ranking_s,
    }


def test_exact_durations_give_the_law_back() -> None:
    fitted = fit(timings([lawful_s(work) for work in WORKS]))
    assert as_law(fitted) == pytest.approx(LAW, rel=1e-3)


def test_relative_errors_are_balanced_whatever_the_job_is_long() -> None:
    """Durations off by ±5 % in turn are fitted within about that, the shortest as the longest."""
    wrong = 1 + 0.05 * (-1.0) ** np.arange(len(WORKS))
    noisy = timings([lawful_s(work) * own for work, own in zip(WORKS, wrong, strict=True)])
    law = as_law(fit(noisy))
    for timing in noisy:
        work = timing.work
        fitted_s = (
            work.flop / law["flop_s"]
            + work.passes * law["pass_s"]
            + work.trained * work.steps * law["update_s"]
            + work.ranked * law["ranking_s"]
        )
        assert fitted_s == pytest.approx(timing.measured_s, rel=0.08)


def test_no_term_is_negative() -> None:
    """Ranking cannot give time back, even where rounds that rank were the faster."""
    fitted = fit(timings([1.0 + work.flop / 1e7 - 0.5 * (work.ranked > 0) for work in WORKS]))
    assert fitted.compute.value_ranking_s == 0.0
    assert fitted.flop_s > 0


def test_durations_without_flop_in_them_are_refused() -> None:
    with pytest.raises(ProfileError, match="do not grow with the FLOP"):
        fit(timings([1 / (1 + work.flop) for work in WORKS]))
