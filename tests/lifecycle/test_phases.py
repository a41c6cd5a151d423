"""What a run's time went to: each moment belongs to one phase, and all of them to the run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from pyarrow.parquet import read_table

from cosim.cli.summary import longest_phases
from cosim.host import phases as stopwatch
from cosim.host.phases import Phase, Phases
from cosim.lifecycle.checkpoints import newest
from cosim.lifecycle.play import play, resume
from cosim.lifecycle.timed_trace import TimedTrace
from cosim.trace.files import compacted_file, part_files
from cosim.trace.manifest import read_manifest
from cosim.trace.schema import Cause, EventKind, EventRow
from cosim.trace.writer import TraceWriter
from tests.simulation.small_networks import scenario as network

LEARNT = {"training", "evaluation", "calibration", "spectra", "mixing", "network", "traces"}


class Clocks:
    """Both clocks of the host by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s = self.cpu_s = 0.0
        monkeypatch.setattr(stopwatch, "perf_counter", lambda: self.wall_s)
        monkeypatch.setattr(stopwatch, "process_time", lambda: self.cpu_s)
        monkeypatch.setattr(stopwatch, "thread_time", lambda: self.cpu_s)

    def go_on(self, wall_s: float, cpu_s: float) -> None:
        self.wall_s += wall_s
        self.cpu_s += cpu_s


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def told(phases: Phases) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of the phases that have any."""
    pairs = {name: (at["wall_s"], at["cpu_s"]) for name, at in phases.so_far().items()}
    return {name: pair for name, pair in pairs.items() if any(pair)}


def test_an_inner_phase_is_taken_out_of_the_outer_one(clocks: Clocks) -> None:
    phases = Phases()
    clocks.go_on(100.0, 100.0)  # nobody has said what this is
    with phases.during(Phase.NETWORK):
        clocks.go_on(1.0, 0.5)
        with phases.during(Phase.TRAINING):
            clocks.go_on(2.0, 4.0)
            with phases.during(Phase.CALIBRATION):
                clocks.go_on(4.0, 3.0)
            clocks.go_on(8.0, 16.0)
            assert told(phases)["training"] == (10.0, 20.0)
        clocks.go_on(16.0, 8.0)
    clocks.go_on(100.0, 100.0)
    assert told(phases) == {
        "network": (17.0, 8.5),
        "training": (10.0, 20.0),
        "calibration": (4.0, 3.0),
    }


def test_what_fails_has_taken_its_time_and_is_over(clocks: Clocks) -> None:
    phases = Phases()

    def fail() -> None:
        clocks.go_on(1.0, 1.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), phases.during(Phase.MIXING):
        fail()
    clocks.go_on(1.0, 1.0)
    assert told(phases) == {"mixing": (1.0, 1.0)}


def test_an_earlier_part_of_the_run_is_added(clocks: Clocks) -> None:
    phases = Phases()
    with phases.during(Phase.TRACES):
        clocks.go_on(1.0, 2.0)
    before = {"traces": {"wall_s": 10.0, "cpu_s": 20.0}}
    assert phases.so_far(before)["traces"] == {"wall_s": 11.0, "cpu_s": 22.0}
    assert phases.so_far()["traces"] == {"wall_s": 1.0, "cpu_s": 2.0}


def test_what_is_computed_aside_has_its_share_of_the_wall(clocks: Clocks) -> None:
    phases = Phases()
    spectra = phases.aside(Phase.SPECTRA, lambda: clocks.go_on(0.0, 6.0))
    with phases.during(Phase.CALIBRATION):
        spectra()
        clocks.go_on(4.0, 2.0)
    # 6 of 8 processor seconds, so 3 of 4 of the wall's.
    assert told(phases) == {"spectra": (3.0, 6.0), "calibration": (1.0, 2.0)}


def test_threads_at_once_have_the_wall_once() -> None:
    phases = Phases()

    def spin(_: int) -> None:
        end_s = thread_time() + 0.1
        while thread_time() < end_s:
            pass

    with phases.during(Phase.CALIBRATION), ThreadPoolExecutor(2) as pool:
        list(pool.map(phases.aside(Phase.SPECTRA, spin), range(4)))
        spin(0)
    found = phases.so_far()
    assert 0.4 <= found["spectra"]["cpu_s"] < 0.5
    assert 0.1 <= found["calibration"]["cpu_s"] < 0.2
    for clock in ("wall_s", "cpu_s"):
        whole = found["spectra"][clock] + found["calibration"][clock]
        assert found["spectra"][clock] / whole == pytest.approx(0.8, abs=0.1)


def test_a_run_tells_what_its_time_went_to(chosen: Any, tmp_path: Path) -> None:
    manifest = play(chosen("proposed", rounds=1), out=tmp_path / "run", spacing=0).manifest
    phases = manifest["phases"]
    assert read_manifest(tmp_path / "run")["phases"] == phases
    assert set(phases) == {*LEARNT, "checkpoints"}
    for taken in phases.values():
        assert set(taken) == {"wall_s", "cpu_s"}
        assert taken["wall_s"] > 0
        assert taken["cpu_s"] > 0
    wall_s = sum(taken["wall_s"] for taken in phases.values())
    # Two stopwatches, which are looked at one after the other.
    assert 0.8 * manifest["wall_s"] <= wall_s <= manifest["wall_s"] + 0.01
    learner_s = sum(phases[name]["wall_s"] for name in LEARNT - {"network", "traces"})
    assert learner_s == pytest.approx(manifest["learner_wall_s"], rel=0.1)


def test_a_network_alone_is_network_and_traces(tmp_path: Path) -> None:
    phases = play(network(rounds=2), out=tmp_path / "run").manifest["phases"]
    taken = {name for name, seconds in phases.items() if seconds["wall_s"] > 0}
    assert taken == {"network", "traces"}


def test_a_resumed_run_has_what_was_spent_until_its_checkpoint(
    cut: tuple[Path, dict[str, Any]],
) -> None:
    run, _ = cut
    checkpoint = newest(run)
    assert checkpoint is not None
    before = checkpoint.index["spent"]["phases"]
    assert before["network"]["wall_s"] > 0
    manifest = resume(run).manifest
    for name, seconds in manifest["phases"].items():
        assert seconds["wall_s"] >= before[name]["wall_s"]
        assert seconds["cpu_s"] >= before[name]["cpu_s"]
    assert manifest["phases"]["training"]["wall_s"] > before["training"]["wall_s"]
    assert sum(at["wall_s"] for at in manifest["phases"].values()) <= manifest["wall_s"]


def test_the_summary_names_the_longest() -> None:
    walls_s = {"training": 41.04, "traces": 0.2, "network": 0.04, "evaluation": 50.0, "mixing": 1}
    phases = {name: {"wall_s": wall_s, "cpu_s": 0.0} for name, wall_s in walls_s.items()}
    longest = longest_phases({"phases": phases})
    assert longest == "evaluation 50.0 s, training 41.0 s, mixing 1.0 s"
    assert longest_phases({"phases": {"network": {"wall_s": 0.01, "cpu_s": 0.01}}}) == ""
    assert longest_phases({}) == ""


def test_a_part_file_is_written_where_it_is_worth_one(tmp_path: Path) -> None:
    """Rounds of the network alone are shorter than a file takes; what is lost is played again."""
    trace = TimedTrace(TraceWriter(tmp_path), Phases(), least_rows=3)
    row = EventRow(0.0, 1, 0, EventKind.PLAN, None, Cause.SCHEDULE, None)
    for parts in (0, 0, 1, 1, 1, 2):
        trace.add(row)
        trace.flush()
        assert len(part_files(tmp_path, "events")) == parts
    trace.add(row)
    trace.close()
    assert len(read_table(compacted_file(tmp_path, "events"))) == 7
