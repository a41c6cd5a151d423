"""The jobs that are timed are real ones: they train what they count."""

import pytest

from cosim.errors import ProfileError
from cosim.profiling.bench import Bench
from cosim.profiling.jobs import STEPS, ProfilingJob, batches_of, profiling_jobs
from cosim.profiling.measure import seconds_of, time_jobs
from cosim.profiling.profile import Power, profile_machine
from cosim.scenario.model import Scenario
from tests.profiling.lawful import LAW, lawful_s


def test_the_jobs_differ_in_everything_that_a_duration_depends_on() -> None:
    jobs = profiling_jobs(8, 40, 32)
    assert len(set(jobs)) == len(jobs)
    for values in (
        {job.batch_size for job in jobs},
        {job.tokens for job in jobs},
        {job.rank for job in jobs},
        {job.density for job in jobs if job.masked},
    ):
        assert len(values) >= 3
    assert {job.masked for job in jobs} == {True, False}
    assert profiling_jobs(1, 2, 1)  # the smallest scenario has jobs as well


def test_rows_are_as_long_as_the_job_says_and_never_too_long() -> None:
    job = ProfilingJob(50, 40, 4, 0.1)
    batches = batches_of(job, 300, 1, 45)
    assert [len(batch) for batch in batches] == [50] * STEPS
    rows = [row for batch in batches for row in batch]
    lengths = [row.tokens for row in rows]
    assert min(lengths) >= 30
    assert max(lengths) == 45
    assert all(0 <= token < 300 for row in rows for token in row.prompt + row.answer)
    assert batches == batches_of(job, 300, 1, 45)
    assert batches != batches_of(job, 300, 2, 45)


def test_a_masked_job_is_a_first_round_and_a_later_one(bench: Bench) -> None:
    first, later = bench.exercises(ProfilingJob(2, 12, 4, 0.1))
    assert (first.work.passes, first.work.steps, first.work.samples) == (STEPS + 1, STEPS, 4)
    assert (later.work.passes, later.work.ranked) == (STEPS, 0)
    assert later.lesson.batches == first.lesson.batches
    assert first.work.ranked == first.trainer.layout.expansion_size
    assert first.work.flop - later.work.flop == pytest.approx(later.work.flop / STEPS, rel=0.5)
    for exercise in (first, later):
        trained = exercise.train()
        assert trained.support is not None
        assert trained.values.numel() == exercise.work.trained == len(trained.support)
        assert trained.values.any()


def test_a_dense_job_trains_both_factors(bench: Bench) -> None:
    (only,) = bench.exercises(ProfilingJob(1, 6, 3, None))
    trained = only.train()
    assert trained.support is None
    assert only.work.trained == trained.values.numel() + trained.projection.numel()
    assert (only.work.passes, only.work.ranked) == (STEPS, 0)
    assert not trained.projection.equal(only.lesson.adapter.projection)


def test_training_again_starts_from_the_same_state(bench: Bench) -> None:
    _, later = bench.exercises(ProfilingJob(1, 8, 2, 0.3))
    assert later.train().digest == later.train().digest


def test_a_training_takes_time(bench: Bench) -> None:
    (only,) = bench.exercises(ProfilingJob(1, 4, 1, None))
    assert seconds_of(only) > 0


def test_the_median_of_the_repeats_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5.0, 1.0, 2.0, 9.0, 3.0, 1.0])
    monkeypatch.setattr("cosim.profiling.measure.seconds_of", lambda exercise: next(clock))
    told: list[tuple[int, int]] = []
    timings = time_jobs(
        bench,
        [ProfilingJob(1, 4, 1, None), ProfilingJob(2, 4, 1, None)],
        3,
        tell=lambda done, of: told.append((done, of)),
    )
    assert [timing.measured_s for timing in timings] == [3.0, 1.0]
    assert told == [(done, 6) for done in range(1, 7)]


@pytest.mark.slow
@pytest.mark.usefixtures("lawful_machine")
def test_a_lawful_machine_is_profiled_exactly(chosen: Scenario) -> None:
    profiled = profile_machine(chosen, Power.named("raspberry_pi_5", idle_w=2.5))
    profile = profiled.profile
    assert profile.peak_flop_s * profile.utilisation == pytest.approx(LAW["flop_s"], rel=1e-2)
    for timing in profiled.timings:
        assert timing.measured_s == lawful_s(timing.work)
        assert abs(timing.error(profile)) < 0.01
    assert (profile.compute_w, profile.idle_w, profile.battery_j) == (9.0, 2.5, None)
    for said in ("thread", "float32", "path:", "about rank 4", "idle_w given, all other watts"):
        assert said in profile.source
    assert profile.source.endswith("not measured but copied from raspberry_pi_5")


def test_what_trains_nothing_cannot_be_measured(chosen: Scenario) -> None:
    silent = Scenario.model_validate(
        chosen.model_dump(mode="json", exclude={"learning"}) | {"learning": "none"}
    )
    with pytest.raises(ProfileError, match=r"^learning: 'none' trains nothing"):
        Bench(silent)


def test_an_unknown_source_of_power_is_named_with_the_nearest() -> None:
    with pytest.raises(ProfileError, match=r"^--power-of: 'lapptop' is not .* mean 'laptop'"):
        Power.named("lapptop")
