"""Checkpoints cost little, and a disk that is full ends no run without its rows."""

import errno
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from cosim.errors import RunDirectoryError
from cosim.lifecycle import checkpoints as checkpoints_module
from cosim.lifecycle.checkpoints import Checkpoints
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.lifecycle.play import play, resume
from cosim.scenario.model import Scenario
from cosim.simulation.setup.build import build_learner
from cosim.trace.reader import read_run
from tests.lifecycle.runs_cut_off import everything
from tests.simulation.small_networks import scenario as network


@pytest.mark.slow
def test_a_disk_that_refuses_stops_nothing(
    chosen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    play(chosen("lora"), out=tmp_path / "whole")
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    # Full once the run has begun: what is looked at before sees the room that there is.
    full = SimpleNamespace(**{**vars(shutil), "disk_usage": lambda _: usage})
    monkeypatch.setattr(checkpoints_module, "shutil", full)
    play(chosen("lora"), out=tmp_path / "run", spacing=0)
    assert "no checkpoint in" in caplog.text
    assert "No space left" in caplog.text
    assert everything(tmp_path / "run") == everything(tmp_path / "whole")


def test_checkpoints_take_three_percent_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock by hand: a round of 10 s, a checkpoint of 1.5 s that grows to 3 s."""
    time_s, stored = 0.0, []

    def store(self: Checkpoints, *_: Any) -> None:
        nonlocal time_s
        stored.append(time_s)
        time_s += min(1.5 + 0.1 * len(stored), 3.0)

    tensors = {"0": torch.zeros(25_000_000)}  # 100 MB
    monkeypatch.setattr(Checkpoints, "_store", store)
    monkeypatch.setattr(JournaledLearner, "take", lambda _: ({}, tensors))
    learner = JournaledLearner(build_learner(network()))
    kept = Checkpoints(tmp_path, learner, {}, dict, clock=lambda: time_s)
    for _ in range(500):
        time_s += 10.0
        kept.consider()
    assert len(stored) > 40
    assert kept.wall_s <= 0.031 * time_s
    assert stored[0] == pytest.approx(40.0), "33 times what 100 MB take a slow disk"


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_no_loss(
    chosen: Callable[..., Scenario], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = play(chosen(rounds=3), out=tmp_path / "whole", spacing=0)
    write = pq.write_table
    left = itertools.count(9, -1)

    def full(*given: Any, **named: Any) -> None:
        if next(left) <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*given, **named)

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(RunDirectoryError, match=r"no room is left .* cosim resume .*short"):
        play(chosen(rounds=3), out=tmp_path / "short", spacing=0)
    found = read_run(tmp_path / "short")
    assert found.manifest["status"] != "completed"
    assert len(found.events), "what was flushed before can be read"
    monkeypatch.setattr(pq, "write_table", write)
    resumed = resume(tmp_path / "short", spacing=0)
    assert resumed.manifest["results_sha256"] == whole.manifest["results_sha256"]
