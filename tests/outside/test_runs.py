"""Methods from outside are played, killed, resumed, verified, swept and exported like any other."""

import copy
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.errors import MethodError
from cosim.host.ray_cluster import RayCluster
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.methods.outside import forget
from cosim.scenario.load import load
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.engine import Engine
from cosim.sweeping.run import play_sweep
from cosim.sweeping.state import State, goes_on, look
from cosim.sweeping.watch import Watch
from cosim.trace.files import CHECKPOINTS
from cosim.trace.manifest import read_manifest
from tests.cli.conftest import Command
from tests.outside.conftest import EXAMPLES, HERE, Scenario

ROUNDS = 3
# Plays a scenario with a checkpoint wherever one can be, and waits for a killer after two rounds.
KILLED = """\
import sys, time
from pathlib import Path
import torch
from cosim.lifecycle.play import play
from cosim.scenario.load import load
class Waiting:
    def saw(self, row): pass
    def scored(self, round_, measurements): pass
    def closed(self, round_, time_s):
        if round_ == 2:
            print("now", flush=True)
            time.sleep(600)
torch.set_num_threads(1)
play(load(Path(sys.argv[1])), Path(sys.argv[2]), [Waiting()], spacing=0.0)
"""


class Stop:
    """An observer that presses Ctrl-C after two rounds."""

    def saw(self, row: Any) -> None:
        """Rows are of no interest."""

    def scored(self, round_: int, measurements: Any) -> None:
        """Nor are scores."""

    def closed(self, round_: int, time_s: float) -> None:
        """Ends the run."""
        if round_ == 2:
            raise KeyboardInterrupt


def interrupted(scenario: Path, run: Path) -> Path:
    """A run that was cut off in the middle, with checkpoints."""
    with pytest.raises(Interrupted):
        play(load(scenario), run, [Stop()], spacing=0.0)
    assert list((run / CHECKPOINTS).glob("0*.json"))
    return run


def outcome(run: Path) -> dict[str, Any]:
    """What of a run does not hang on the host's clock."""
    manifest = read_manifest(run)
    files = {path.name: path.read_bytes() for path in sorted((run / "adapters").iterdir())}
    return {**files, "status": manifest["status"], "sha256": manifest["results_sha256"]}


@pytest.mark.slow
def test_a_run_keeps_its_method_and_is_whole(
    cosim: Command, scenario: Scenario, example: str, tmp_path: Path
) -> None:
    assert cosim("run", scenario(f"path:{example}.py"), "--out", "run", "--quiet").code == 0
    kept = (tmp_path / "run/method.py").read_bytes()
    assert kept == (tmp_path / f"{example}.py").read_bytes()
    manifest = read_manifest(tmp_path / "run")
    assert manifest["method"] == example
    assert manifest["method_sha256"] == hashlib.sha256(kept).hexdigest()
    (tmp_path / f"{example}.py").unlink()
    ended = cosim("verify", "run")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("checks made, nothing wrong\n")
    assert cosim("export", "run", "--device", 1, "--to", "peft").code == 0
    assert (tmp_path / "peft/adapter_config.json").is_file()
    assert cosim("compare", "run").code == 0


@pytest.mark.slow
def test_drift_keeps_devices_silent(scenario: Scenario, tmp_path: Path) -> None:
    """Else the example would show nothing."""
    shutil.copy(HERE / "drift_triggered.py", tmp_path)
    path = scenario("path:drift_triggered.py")
    sent = {}
    for threshold in (0.0, 100.0):
        setting = f"method.sending={{name: on_relative_drift, threshold: {threshold}}}"
        chosen = load(path, [setting])
        run = play(chosen, out=tmp_path / f"run-{threshold:g}").directory
        sent[threshold] = len(pd.read_parquet(run / "transfers.parquet"))
    assert (sent[0.0], sent[100.0]) == (ROUNDS * 12, 12)


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    scenario: Scenario, example: str, tmp_path: Path
) -> None:
    path = scenario(f"path:{example}.py")
    whole = play(load(path), out=tmp_path / "whole").directory
    run = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, path, run], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "now\n"
        os.kill(child.pid, signal.SIGKILL)
    assert read_manifest(run)["status"] == "running"
    (tmp_path / f"{example}.py").unlink()  # its copy suffices
    resume(run)
    assert read_manifest(run)["resumed"] == 1
    assert outcome(run) == outcome(whole)


@pytest.mark.slow
def test_a_run_goes_on_in_the_process_that_was_interrupted(
    scenario: Scenario, example: str, tmp_path: Path
) -> None:
    path = scenario(f"path:{example}.py")
    whole = play(load(path), out=tmp_path / "whole").directory
    run = interrupted(path, tmp_path / "run")
    resume(run)
    assert outcome(run) == outcome(whole)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", "verify"])
def test_another_method_in_the_run_directory_is_refused(
    cosim: Command, scenario: Scenario, example: str, tmp_path: Path, command: str
) -> None:
    run = interrupted(scenario(f"path:{example}.py"), tmp_path / "run")
    with (run / "method.py").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    ended = cosim(command, run)
    said = ended.err if command == "resume" else ended.out
    assert ended.code == (2 if command == "resume" else 1)
    assert "method.py: is another file than the one that is meant: its SHA-256 is" in said
    assert "Traceback" not in ended.err


SWEEP = """\
scenario: scenario.yaml
seeds: [1]
grid: {{method: [lora, "path:{example}.py"]}}
"""


@pytest.mark.slow
def test_a_sweep_goes_over_methods_and_goes_on(
    cosim: Command, scenario: Scenario, example: str, tmp_path: Path
) -> None:
    """The second time nothing is played, and what was interrupted is resumed."""
    path = scenario("local", rounds=ROUNDS)
    (tmp_path / "methods.yaml").write_text(SWEEP.format(example=example), encoding="utf-8")
    (_, point) = read_sweep(tmp_path / "methods.yaml").points
    assert point.scenario.method.name == example
    whole = play(load(path, [f"method=path:{example}.py"]), out=tmp_path / "whole").directory
    run = tmp_path / "runs/methods" / point.name
    with pytest.raises(Interrupted):
        play(point.scenario, run, [Stop()], spacing=0.0)
    assert goes_on(run, point.scenario, State.INTERRUPTED)
    resume(run)
    assert look(run, point.scenario).state is State.COMPLETED
    assert outcome(run) == outcome(whole)
    with (tmp_path / f"{example}.py").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    (_, other) = read_sweep(tmp_path / "methods.yaml").points
    found = look(run, other.scenario)
    assert found.state is State.DIFFERS
    assert "method.origin.sha256 is" in str(found.note)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES[:1], indirect=True)
def test_processes_of_a_sweep_play_methods_from_outside(
    cosim: Command, scenario: Scenario, example: str, tmp_path: Path
) -> None:
    scenario("local")
    (tmp_path / "methods.yaml").write_text(SWEEP.format(example=example), encoding="utf-8")
    ended = cosim("sweep", "methods.yaml", "--jobs", 2, "--out", "swept")
    assert ended.code == 0, ended.err
    runs = [run for run in sorted((tmp_path / "swept").iterdir()) if (run / "adapters").is_dir()]
    assert {read_manifest(run)["method"] for run in runs} == {"lora", example}
    for run in runs:
        assert cosim("verify", run).code == 0
    assert cosim("compare", "swept").code == 0


def test_a_scenario_reaches_a_process_that_has_not_read_its_method(
    scenario: Scenario, example: str, tmp_path: Path
) -> None:
    chosen = load(scenario(f"path:{example}.py"), ["method.staleness_exponent=0.5"])
    assert chosen.method.origin is not None
    sent = pickle.dumps(chosen)
    forget(chosen.method.origin)
    arrived = pickle.loads(sent)
    assert arrived.model_dump(mode="json") == chosen.model_dump(mode="json")
    assert copy.deepcopy(chosen) == chosen
    with (tmp_path / f"{example}.py").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    forget(chosen.method.origin)
    with pytest.raises(MethodError, match="is another file than the one that is meant"):
        pickle.loads(sent)


GATED = """\
from typing import Literal
import torch
from cosim.methods import PROPOSED_SINGLE_CLUSTER
from cosim.methods.composition.gate import Gate

class Nearest(Gate):
    name: Literal["nearest_expert"] = "nearest_expert"
    def weigh(self, cosines):
        return torch.nn.functional.one_hot(cosines.argmax(1), cosines.shape[1]).float()

METHOD = PROPOSED_SINGLE_CLUSTER.with_(name="nearest", reference="nobody", composition=Nearest())
"""


@pytest.mark.slow
@pytest.mark.ray
def test_workers_of_ray_compute_what_one_process_does(
    scenario: Scenario, two_ray_workers: RayCluster, tmp_path: Path
) -> None:
    """Also an expert whose members are weighed by a part from outside."""
    (tmp_path / "nearest.py").write_text(GATED, encoding="utf-8")
    shutil.copy(HERE / "trimmed_mean.py", tmp_path)
    for name in ("nearest", "trimmed_mean"):
        path = scenario(f"path:{name}.py", rounds=2)
        alone = play(load(path), out=tmp_path / f"{name}-alone").directory
        spread = load(path, ["learning.executor=ray"])
        together = play(spread, out=tmp_path / f"{name}-ray").directory
        assert outcome(together) == outcome(alone)


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_on_ray_plays_methods_from_outside(
    scenario: Scenario,
    two_ray_workers: RayCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario("local")
    shutil.copy(HERE / "trimmed_mean.py", tmp_path)
    text = SWEEP.format(example="trimmed_mean")
    (tmp_path / "methods.yaml").write_text(text, encoding="utf-8")
    sweep = read_sweep(tmp_path / "methods.yaml")
    entries = play_sweep(sweep, Path("ray"), 2, Watch(), Engine.RAY)
    assert [(entry.state, entry.error) for entry in entries] == [("completed", None)] * 2


@pytest.mark.slow
def test_an_example_keeps_the_contract(cosim: Command, example: str) -> None:
    ended = cosim("methods", "--check", f"path:{example}.py")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{example}\n")
    assert ended.out.endswith(f"path:{example}.py: 13 of 13 checks made, nothing wrong\n")
