"""`cosim sweep`: each run once, in its own directory, as `cosim run` plays it; nothing lost."""

import itertools
import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.errors import ScenarioError
from cosim.learning.learner import ModelLearner
from cosim.lifecycle.play import Interrupted, play
from cosim.scenario.load import load
from cosim.sweeping.work import Assignment
from cosim.sweeping.workers import cores, play_all, threads_for
from cosim.trace.reader import read_run

SWEEP = """\
scenario: small.yaml
seeds: [1, 2]
grid:
  method: [lora, local]
"""
NAMES = [f"method-{method}__seed-{seed}" for method in ("lora", "local") for seed in (1, 2)]
HERE = Path("runs/two")
LEARNING = """\
rounds: 1
method: proposed_single_cluster
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks: {{sums: {{dataset: chain_sum, samples: 20}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 2, mobility: {{model: static}}}}]
"""


@pytest.fixture
def sweep_file(scenario_file: Path) -> Path:
    path = scenario_file.with_name("two.yaml")
    path.write_text(SWEEP, encoding="utf-8")
    return path


def index(directory: Path = HERE) -> pd.DataFrame:
    return pd.read_parquet(directory / "runs.parquet")


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_runs_are_those_of_cosim_run_and_are_played_once(cosim: Any, sweep_file: Path) -> None:
    ended = cosim("sweep", sweep_file, "--jobs", 2)
    assert (ended.code, ended.err) == (0, "")
    head, *lines = ended.out.splitlines()
    assert head == f"4 runs in {HERE}; how long they take is not known yet"
    assert sorted(line.split("  ")[3] for line in lines[:4]) == sorted(NAMES)
    assert [line.split("  ")[:2] for line in lines[:4]] == [
        [f"{n}/4", "completed"] for n in (1, 2, 3, 4)
    ]
    assert "left about" not in lines[3], "nothing is left"
    assert lines[4:] == ["4 runs: 4 completed", "index: runs/two/runs.parquet"]
    rows = index()
    assert rows["directory"].tolist() == NAMES
    assert rows["method"].tolist() == ["lora", "lora", "local", "local"]
    assert rows["seed"].tolist() == [1, 2, 1, 2]
    assert (rows["status"] == "completed").all()
    assert rows["seconds"].gt(0).all()
    assert rows["error"].isna().all()

    cosim("run", "small.yaml", "--seed", 2, "--set", "method=lora", "--out", "alone")
    alone, swept = read_run("alone"), read_run(HERE / NAMES[1])
    assert swept.manifest["results_sha256"] == alone.manifest["results_sha256"]
    assert load(HERE / NAMES[1] / "scenario.yaml") == load(Path("alone/scenario.yaml"))

    before = contents(HERE)
    again = cosim("sweep", sweep_file)
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[0] == "4 runs: 4 completed (4 of them before)"
    after = contents(HERE)
    assert {p for p in before if before[p] != after.get(p)} <= {str(HERE / "runs.parquet")}
    assert before.keys() == after.keys()
    pd.testing.assert_frame_equal(index(), rows)


@pytest.mark.slow
def test_what_is_new_is_played_and_what_was_cut_off_is_moved_aside(
    cosim: Any, sweep_file: Path
) -> None:
    sweep_file.write_text(SWEEP.replace("[1, 2]", "[1]"), encoding="utf-8")
    assert cosim("sweep", sweep_file).out.splitlines()[-2] == "2 runs: 2 completed"
    manifest = HERE / NAMES[2] / "manifest.json"
    text = manifest.read_text(encoding="utf-8").replace('"completed"', '"interrupted"')
    manifest.write_text(text, encoding="utf-8")
    sweep_file.write_text(SWEEP, encoding="utf-8")
    what = ("finished", "to run", "to run again (interrupted)", "to run")
    dry = cosim("sweep", sweep_file, "--dry-run").out.splitlines()
    listed = [f"{name}  {told}" for name, told in zip(NAMES, what, strict=True)]
    assert dry[:-1] == listed
    assert dry[-1].startswith("4 runs in runs/two: 3 to play, about ")
    assert dry[-1].endswith(" s with --jobs 1")
    assert cosim("sweep", sweep_file).out.splitlines()[-2] == (
        "4 runs: 4 completed (1 of them before)"
    )
    aside = HERE / f"{NAMES[2]}.interrupted-1" / "manifest.json"
    assert aside.read_text(encoding="utf-8") == text
    assert json.loads(manifest.read_text(encoding="utf-8"))["status"] == "completed"


@pytest.mark.slow
def test_what_a_worker_learns_is_what_is_learnt_alone(cosim: Any, tiny_llama: Path) -> None:
    """Given equal threads: the workers share the cores, and this process computes in one thread."""
    Path("tiny.yaml").write_text(LEARNING.format(model=tiny_llama), encoding="utf-8")
    Path("two.yaml").write_text("scenario: tiny.yaml\nseeds: [3]\n", encoding="utf-8")
    assert cosim("sweep", "two.yaml", "--jobs", max(2, cores())).code == 0
    swept = read_run(HERE / "seed-3").manifest
    cosim("run", "tiny.yaml", "--seed", 3, "--out", "alone")
    alone = read_run("alone").manifest
    assert swept["threads"] == alone["threads"] == 1
    assert swept["results_sha256"] == alone["results_sha256"]


@pytest.mark.slow
def test_an_interrupted_run_of_a_sweep_is_resumed(
    cosim: Any, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tiny.yaml").write_text(LEARNING.format(model=tiny_llama), encoding="utf-8")
    Path("two.yaml").write_text("scenario: tiny.yaml\nseeds: [3]\n", encoding="utf-8")
    jobs = max(2, cores())
    assert cosim("sweep", "two.yaml", "--jobs", jobs, "--out", "whole").code == 0
    shutil.copytree("whole", HERE)
    run, whole = HERE / "seed-3", read_run("whole/seed-3").manifest
    shutil.rmtree(run)
    inner = ModelLearner.evaluate
    calls = itertools.count(1)

    def interrupted(self: ModelLearner, *asked: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return inner(self, *asked)

    with monkeypatch.context() as patch:
        patch.setattr(ModelLearner, "evaluate", interrupted)
        with pytest.raises(Interrupted):
            play(load(Path("whole/seed-3/scenario.yaml")), out=run, spacing=0)
    assert cosim("sweep", "two.yaml", "--jobs", jobs).code == 0
    assert read_run(run).manifest["resumed"] == 1
    assert read_run(run).manifest["results_sha256"] == whole["results_sha256"]
    assert not list(HERE.glob("*.interrupted-*"))


def test_a_dry_run_writes_nothing(cosim: Any, sweep_file: Path) -> None:
    assert cosim("sweep", sweep_file, "--dry-run", "--out", "elsewhere").code == 0
    assert not Path("elsewhere").exists()


@pytest.mark.slow
def test_a_failure_stops_nobody_and_is_tried_again(cosim: Any, sweep_file: Path) -> None:
    broken = "devices.0.mobility: [{model: trace, path: walks.csv}, {model: static}]"
    sweep_file.write_text(SWEEP.replace("method: [lora, local]", broken), encoding="utf-8")
    ended = cosim("sweep", sweep_file)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert ended.out.splitlines()[-2] == "4 runs: 2 failed, 2 completed"
    failed = index().query("status == 'failed'")
    assert len(failed) == 2
    for name, error in zip(failed["directory"], failed["error"], strict=True):
        assert "two.yaml:4: devices.0.mobility.path: " in error
        assert f"cosim: failed: runs/two/{name}: {error}" in ended.err
        assert (HERE / name / "error.txt").read_text(encoding="utf-8") == f"{error}\n"
    walks = "time_s,device,x_m,y_m\n" + "".join(f"{t},{n},{n},0\n" for t in (0, 99) for n in "012")
    sweep_file.with_name("walks.csv").write_text(walks, encoding="utf-8")
    again = cosim("sweep", sweep_file)
    assert (again.code, again.err) == (0, "")
    for name in failed["directory"]:
        assert (HERE / f"{name}.failed-1" / "error.txt").is_file()
        assert read_run(HERE / name).manifest["status"] == "completed"


@pytest.mark.slow
def test_a_run_of_another_scenario_is_refused_and_kept(cosim: Any, sweep_file: Path) -> None:
    cosim("sweep", sweep_file)
    before = contents(HERE / NAMES[0])
    sweep_file.write_text(SWEEP + "set: {radio.deadline_s: 1.25, rounds: 2}\n", encoding="utf-8")
    dry = cosim("sweep", sweep_file, "--dry-run")
    told = "it played another scenario: rounds is 3 there and 2 here; radio.deadline_s is 2.0 there"
    assert f"{NAMES[0]}  refused: {told}" in dry.out
    ended = cosim("sweep", sweep_file)
    assert ended.code == 1
    assert f"cosim: refused: {HERE / NAMES[0]}: {told} and 1.25 here" in ended.err
    assert (index()["status"] == "differs").all()
    assert contents(HERE / NAMES[0]) == before


def test_a_directory_of_something_else_is_refused(cosim: Any, sweep_file: Path) -> None:
    for name, held in (("full", "full/letter.txt"), ("file", "file")):
        Path(held).parent.mkdir(exist_ok=True)
        Path(held).write_text("mine", encoding="utf-8")
        ended = cosim("sweep", sweep_file, "--out", name)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"cosim: {name} ")
        assert Path(held).read_text(encoding="utf-8") == "mine"


def test_a_mistake_is_told_before_anything_starts(cosim: Any, sweep_file: Path) -> None:
    sweep_file.write_text(SWEEP.replace("local", "lokal"), encoding="utf-8")
    ended = cosim("sweep", sweep_file)
    assert (ended.code, ended.out) == (2, "")
    assert "two.yaml:4: method: 'lokal' is not a method; did you mean 'local'?" in ended.err
    assert not Path("runs").exists()


COMMAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
COMMAND += "from cosim.cli.app import main; main()"


@pytest.mark.slow
def test_ctrl_c_leaves_readable_runs_and_the_same_command_goes_on(
    cosim: Any, sweep_file: Path, tmp_path: Path
) -> None:
    long = "scenario: small.yaml\nseeds: [1, 2, 3]\ngrid: {rounds: [2, 1000000]}\n"
    sweep_file.write_text(long, encoding="utf-8")
    arguments = [sys.executable, "-c", COMMAND, "sweep", str(sweep_file), "--jobs", "2"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("3/6"):
                break
        endless = HERE / "rounds-1000000__seed-1" / "manifest.json"
        deadline = time.monotonic() + 60
        while not endless.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == (
        "cosim: interrupted; 3 of 6 runs are completed in runs/two; the same command goes on\n"
    )
    states = index().groupby("status").size()
    assert states["completed"] == 3
    run = read_run(endless.parent)
    assert run.manifest["status"] == "interrupted"
    assert len(run.rounds) > 0
    assert "rounds-1000000__seed-1  to run again (interrupted)" in (
        cosim("sweep", sweep_file, "--dry-run").out
    )


@pytest.mark.slow
def test_the_death_of_a_worker_costs_one_run(scenario_file: Path, tmp_path: Path) -> None:
    scenario = load(scenario_file)
    endless = load(scenario_file, ["rounds=1000000"])

    def assignments() -> Any:
        yield Assignment("endless", endless, tmp_path / "endless")
        for child in multiprocessing.active_children():
            child.kill()
        yield Assignment("short", scenario, tmp_path / "short")

    replies = {reply.name: reply.error for reply in play_all(assignments(), jobs=2)}
    assert replies["short"] is None
    assert "ended by SIGKILL" in str(replies["endless"])
    assert read_run(tmp_path / "short").manifest["status"] == "completed"
    assert not multiprocessing.active_children()


def test_workers_share_the_cores() -> None:
    assert threads_for(1) is None, "as cosim run"
    assert threads_for(2) == max(1, cores() // 2)
    assert threads_for(10 * cores()) == 1


def test_a_missing_sweep_file_is_named(cosim: Any, sweep_file: Path) -> None:
    ended = cosim("sweep", "too.yaml")
    assert ended.code == 2
    assert "too.yaml: no such file; did you mean 'two.yaml'?" in ended.err
    with pytest.raises(ScenarioError):
        load(sweep_file)
