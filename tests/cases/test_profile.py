"""A machine that is busy with something else is not profiled."""

from contextlib import nullcontext
from typing import Any

import pytest

from cosim.errors import BusyMachineError
from cosim.methods.workload import Workload
from cosim.profiling import contention
from cosim.profiling.contention import ContentionWatch, Patience
from cosim.profiling.jobs import ProfilingJob
from cosim.profiling.measure import Timing
from cosim.profiling.profile import Profiled
from cosim.scenario.catalogue import catalogue
from cosim.simulation.compute_time import compute_time_s

JOB = ProfilingJob(1, 4, 1, None)
WORK = Workload(flop=10**12, passes=2, steps=2, samples=2, trained=100)


@pytest.mark.parametrize(
    ("processor_s", "waited_s", "expected"),
    [
        (10.0, {"1": 0.0}, 1.0),  # alone
        (20.0, {"1": 0.0, "2": 0.0}, 1.0),  # alone, two threads
        (5.0, {"1": 5.0}, 2.0),  # half the time another process ran
        (15.0, {"1": 0.0, "2": 5.0}, 2.0),  # of two threads one had to wait
        (4.0, {}, 2.5),  # a system that tells of no waiting
    ],
)
def test_contention_is_wall_time_over_what_was_undisturbed(
    monkeypatch: pytest.MonkeyPatch,
    processor_s: float,
    waited_s: dict[str, float],
    expected: float,
) -> None:
    monkeypatch.setattr(contention, "perf_counter", lambda: 110.0)
    monkeypatch.setattr(contention, "process_time", lambda: 7.0 + processor_s)
    monkeypatch.setattr(contention, "_waited_s", lambda: {k: 3.0 + v for k, v in waited_s.items()})
    start = ContentionWatch(100.0, 7.0, dict.fromkeys(waited_s, 3.0))
    assert start.contention() == pytest.approx(expected)


def test_a_moment_too_short_for_the_clocks_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "perf_counter", lambda: 5.0)
    assert ContentionWatch.started().contention() == 1.0


@pytest.mark.parametrize(
    ("processor_s", "passed_s", "plain"),
    [(20.0, 60.0, True), (10.0, 29.0, False), (45.0, 60.0, False)],
)
def test_a_busy_machine_is_plain_after_a_while(
    monkeypatch: pytest.MonkeyPatch, processor_s: float, passed_s: float, plain: bool
) -> None:
    """On a system that tells of no waiting."""
    now = {"wall": 5.0, "processor": 2.0}
    monkeypatch.setattr(contention, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(contention, "process_time", lambda: now["processor"])
    monkeypatch.setattr(contention, "_waited_s", dict)
    patience, anyway = Patience(1.5), Patience()
    now["wall"] += passed_s
    now["processor"] += processor_s
    anyway.check()
    expected = pytest.raises(BusyMachineError, match=r"busy: the jobs took 3\.0 times as long")
    with expected if plain else nullcontext():
        patience.check()


def profiled(contention: float, factor: float, **more: Any) -> Profiled:
    profile = catalogue()["laptop"]
    right_s = compute_time_s(profile, WORK)
    return Profiled(profile, [Timing(JOB, WORK, right_s / factor, contention)] * 3, **more)


def test_a_busy_machine_and_a_bad_fit_are_doubts() -> None:
    assert profiled(1.1, 1.04).doubts == []
    assert profiled(1.1, 0.91).doubts == [], "as on a quiet processor with AMX"
    (busy,) = profiled(3.2, 1.0).doubts
    assert busy.startswith("the machine was busy: the jobs took 3.2 times as long")
    (unfit,) = profiled(1.0, 0.56).doubts
    assert unfit == "the durations fit no profile: the median error is 44%"
    assert profiled(3.2, 1.0, on_gpu=True).doubts == []
