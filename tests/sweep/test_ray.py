"""`cosim sweep --engine ray`: the runs that the processes leave, whoever dies meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from cosim.errors import RunDirectoryError, SweepError
from cosim.host.ray_cluster import RayCluster
from cosim.scenario.learning import LanguageModel
from cosim.scenario.load import load
from cosim.sweeping import ray_workers, workers
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.engine import Engine, engine_named, player_of
from cosim.sweeping.index import Entry
from cosim.sweeping.run import play_sweep
from cosim.sweeping.watch import Watch
from cosim.sweeping.work import Assignment
from cosim.trace.lock import LOCK_FILE
from cosim.trace.manifest import read_manifest

SCENARIO = """\
seed: 7
rounds: 3
learning: none
method: proposed_single_cluster
devices: [{count: 3, profile: flagship_phone, mobility: {model: static}}]
radio: {bandwidth_hz: 20.0e6, fading: {model: block}}
"""
SWEEP = "scenario: small.yaml\nseeds: [1, 2]\ngrid: {method: [lora, local]}\n"


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


@pytest.fixture
def sweep_file(scenario_file: Path) -> Path:
    path = scenario_file.with_name("two.yaml")
    path.write_text(SWEEP, encoding="utf-8")
    return path


def results(directory: Path) -> dict[str, str]:
    return {
        run.name: read_manifest(run)["results_sha256"]
        for run in directory.iterdir()
        if run.is_dir()
    }


class Counted(Watch):
    """Keeps how runs have ended."""

    def __init__(self) -> None:
        self.ends: list[Entry] = []

    def ended(self, entry: Entry) -> None:
        self.ends.append(entry)


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_that_is_joined_plays_what_the_processes_play(
    sweep_file: Path, two_ray_workers: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere, and the directory is relative
    sweep, watch = read_sweep(sweep_file), Counted()
    play_sweep(sweep, Path("pool"), 2, Watch())
    entries = play_sweep(sweep, Path("ray"), 2, watch, Engine.RAY)
    assert [entry.state for entry in entries] == ["completed"] * 4
    assert len(watch.ends) == 4
    assert results(tmp_path / "ray") == results(tmp_path / "pool")
    before = pd.read_parquet("ray/runs.parquet")
    play_sweep(sweep, Path("ray"), 2, Watch(), Engine.RAY)
    pd.testing.assert_frame_equal(pd.read_parquet("ray/runs.parquet"), before)


def writer(run: Path) -> int:
    """The process that writes a run directory."""
    return int(json.loads((run / LOCK_FILE).read_text(encoding="utf-8"))["pid"])


class Killer(threading.Thread):
    """Kills the process that plays a run as soon as it does, so many times."""

    def __init__(self, run: Path, times: int) -> None:
        super().__init__(daemon=True)
        self.run_, self.times = run, times
        self.killed: list[int] = []

    def run(self) -> None:
        while len(self.killed) < self.times:
            time.sleep(0.02)
            with suppress(OSError, ValueError, RunDirectoryError):
                if read_manifest(self.run_)["status"] == "running":
                    pid = writer(self.run_)
                    # Whoever moves the rest of a run aside holds it too, and that is this process.
                    if pid not in (os.getpid(), *self.killed):
                        os.kill(pid, signal.SIGKILL)
                        self.killed.append(pid)


@pytest.mark.slow
@pytest.mark.ray
def test_a_run_whose_worker_dies_is_tried_again_and_the_others_go_on(
    scenario_file: Path, two_ray_workers: RayCluster, tmp_path: Path
) -> None:
    long = load(scenario_file, ["rounds=60"])
    names = ("whole", "once", "always", "short")
    assignments = [Assignment(name, long, tmp_path / "ray" / name) for name in names]
    killers = [Killer(tmp_path / "ray" / "once", 1), Killer(tmp_path / "ray" / "always", 3)]
    for killer in killers:
        killer.start()
    replies = {reply.name: reply.error for reply in ray_workers.play_all(assignments, jobs=2)}
    for killer in killers:
        killer.join(timeout=120)
    assert [len(killer.killed) for killer in killers] == [1, 3]
    assert replies.keys() == set(names)
    assert str(replies.pop("always")).startswith("3 workers of Ray died of it, the last with: ")
    assert set(replies.values()) == {None}
    found = {name: read_manifest(tmp_path / "ray" / name) for name in replies}
    assert len({manifest["results_sha256"] for manifest in found.values()}) == 1
    assert (tmp_path / "ray" / "once.interrupted-1" / "manifest.json").is_file()


COMMAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
COMMAND += "from cosim.cli.app import main; main()"


@pytest.mark.slow
@pytest.mark.ray
def test_ctrl_c_leaves_readable_runs_and_no_process(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed; the extra 'ray' brings it")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    long = "scenario: small.yaml\nseeds: [1, 2]\ngrid: {rounds: [2, 1000000]}\n"
    sweep_file.write_text(long, encoding="utf-8")
    command = ["sweep", str(sweep_file), "--jobs", "2", "--engine", "ray"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("2/4"):
                break
        run = tmp_path / "runs" / "two" / "rounds-1000000__seed-1"
        deadline = time.monotonic() + 300
        while not (run / "manifest.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        worker = writer(run)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == (
        "cosim: interrupted; 2 of 4 runs are completed in runs/two; the same command goes on\n"
    )
    assert read_manifest(run)["status"] == "interrupted"
    assert not _lives(worker)


def _lives(pid: int) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def test_an_engine_that_is_unknown_or_would_wait_for_itself_is_one_sentence(
    scenario_file: Path,
) -> None:
    with pytest.raises(SweepError, match=r"^--engine: 'rya' is .*; did you mean 'ray'"):
        engine_named("rya")
    plain = load(scenario_file)
    learning = plain.model_copy(update={"learning": LanguageModel(executor="ray")})
    assert player_of(Engine.PROCESSES, [plain]) is workers.play_all
    with pytest.raises(SweepError, match="use one of the two"):
        player_of(Engine.RAY, [plain, learning])
