"""A schedule from outside is played by what it says of its rounds, whatever it is called."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cosim.lifecycle.play import play
from cosim.scenario.load import load
from cosim.trace.reader import Run

PART = """\
from typing import Literal
from cosim.methods import LORA, Schedule, Turn

class Mine(Schedule):
    name: Literal["mine"] = "mine"
    in_step = {in_step}
    waits = {waits}

METHOD = LORA.with_(name="mine", schedule=Mine())
"""
NETWORK = """\
seed: 3
rounds: 4
learning: none
method: {method}
devices:
  - {{count: 6, mobility: static, speed_sigma: 0.5}}
radio: {{bandwidth_hz: 20.0e6}}
"""
Written = Callable[[str], Path]


def rows(method: str, written: Written, folder: Path) -> Run:
    play(load(written(NETWORK.format(method=method))), folder, ())
    return Run.read(folder)


def mine(tmp_path: Path, *, in_step: bool, waits: bool) -> str:
    file = tmp_path / "mine.py"
    file.write_text(PART.format(in_step=in_step, waits=waits), encoding="utf-8")
    return f"path:{file}"


@pytest.mark.parametrize(
    ("word", "in_step", "waits"),
    [("synchronous", True, True), ("cluster", False, True), ("asynchronous", False, False)],
)
def test_one_that_says_the_same_is_played_the_same(
    word: str, in_step: bool, waits: bool, written: Written, tmp_path: Path
) -> None:
    other = rows(mine(tmp_path, in_step=in_step, waits=waits), written, tmp_path / "mine")
    built_in = rows(f"{{name: lora, schedule: {word}}}", written, tmp_path / word)
    pd.testing.assert_frame_equal(other.rounds, built_in.rounds)
    pd.testing.assert_frame_equal(other.transfers, built_in.transfers)


def test_devices_in_step_need_not_wait(written: Written, tmp_path: Path) -> None:
    """All begin a round at once, and none mixes later than it has sent and ended its own."""
    waiting = rows(mine(tmp_path, in_step=True, waits=True), written, tmp_path / "waiting")
    run = rows(mine(tmp_path, in_step=True, waits=False), written, tmp_path / "run")
    assert (run.rounds.groupby("round")["start_s"].nunique() == 1).all()
    assert run.rounds["wait_s"].sum() < waiting.rounds["wait_s"].sum()
