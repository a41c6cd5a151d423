"""Ctrl-C: code 130, one message with the directory, and traces that read."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cosim.simulation.null_learner import NullLearner
from cosim.trace.reader import read_run
from cosim.trace.schema import SCHEMAS

# A shell may start background jobs with SIGINT ignored, which this process would pass on.
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from cosim.cli.app import main
main()
"""


@pytest.fixture
def long_run(scenario_file: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of a million rounds, which is killed if it outlives its test."""
    out = tmp_path / "out"
    arguments = ["run", scenario_file, "--out", out, "--set", "rounds=1000000"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.slow
def test_a_run_that_is_interrupted_leaves_what_it_has(
    long_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert long_run.stdout is not None
    for line in long_run.stdout:
        if line.startswith("round 3/"):
            break
    directory = tmp_path / "out"
    running = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert running["status"] == "running"
    long_run.send_signal(signal.SIGINT)
    _, err = long_run.communicate(timeout=60)
    assert long_run.returncode == 130
    told = f"cosim: interrupted; the traces so far: {directory}"
    assert err == f"{told}; go on with: cosim resume {directory}\n"

    assert read_run(directory).manifest["status"] == "interrupted"
    frames = {name: pd.read_parquet(directory / f"{name}.parquet") for name in SCHEMAS}
    rounds = frames["rounds"]
    assert rounds["round"].max() >= 3
    assert (rounds.groupby("round").size() == 3).all()
    times = frames["events"]["time_s"]
    assert times.is_monotonic_increasing
    assert not (directory / "parts").exists()


RESUMED = "cosim: resuming out from its start: there is no checkpoint\n"


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [True, False])
def test_an_interrupt_in_the_middle_of_the_learner(
    cosim: Any, scenario_file: Path, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    """Deterministic: the third round's first job is where the key is pressed."""
    submit = NullLearner.submit

    def press(self: NullLearner, device: int, round_: int) -> Any:
        if round_ == 3:
            raise KeyboardInterrupt
        return submit(self, device, round_)

    monkeypatch.setattr(NullLearner, "submit", press)
    ended = cosim("run", scenario_file, "--out", "out", *(["--quiet"] if quiet else []))
    assert ended.code == 130
    assert ended.err == (
        "cosim: interrupted; the traces so far: out; go on with: cosim resume out\n"
    )
    assert len([line for line in ended.out.splitlines() if line]) == (0 if quiet else 2)
    run = read_run("out")
    assert run.manifest["status"] == "interrupted"
    assert run.rounds["round"].tolist() == [1, 1, 1, 2, 2, 2]

    monkeypatch.setattr(NullLearner, "submit", submit)
    went_on = cosim("resume", "out", *(["--quiet"] if quiet else []))
    assert (went_on.code, went_on.err) == (0, RESUMED * (not quiet))
    assert cosim("run", scenario_file, "--out", "whole").code == 0
    resumed, whole = read_run("out").manifest, read_run("whole").manifest
    assert (resumed["status"], resumed["resumed"], whole["resumed"]) == ("completed", 1, 0)
    assert resumed["results_sha256"] == whole["results_sha256"]
    again = cosim("resume", "out")
    assert again.code == 2
    assert again.err == "cosim: out is completed: there is nothing to resume.\n"


def test_an_interrupt_before_anything_ran_leaves_nothing(
    cosim: Any, scenario_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosim.lifecycle import play

    def press(scenario: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "build_learner", press)
    ended = cosim("run", scenario_file, "--out", "out")
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert not Path("out").exists()
