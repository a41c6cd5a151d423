"""`cosim profile` on a busy machine writes nothing, unless it is told to."""

from pathlib import Path
from typing import Any

import pytest

from cosim.profiling.bench import Exercise
from cosim.profiling.contention import ContentionWatch
from cosim.scenario.catalogue import named_profile


@pytest.fixture
def learning_file(tmp_path: Path, tiny_llama: Path) -> Path:
    """A scenario that learns additions with a tiny model."""
    path = tmp_path / "sums.yaml"
    path.write_text(
        f'rounds: 1\nmethod: local\nbase_model: {{source: "path:{tiny_llama}", dtype: float32}}\n'
        "adapter: {rank: 2}\ntasks: {sums: {dataset: chain_sum, samples: 20}}\n"
        "training: {batch_size: 2}\ndevices: [{count: 1}]\nevaluation: {samples: 4}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.slow
def test_nothing_is_written_unless_it_is_wanted_anyway(
    cosim: Any, learning_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds_of(exercise: Exercise) -> float:
        return exercise.work.flop / 1e9 + 0.01 * exercise.work.passes

    monkeypatch.setattr("cosim.profiling.measure.seconds_of", seconds_of)
    monkeypatch.setattr(ContentionWatch, "contention", lambda self: 3.2)
    ended = cosim("profile", learning_file, "--out", "mine.yaml")
    assert ended.code == 1
    assert "cosim: the machine was busy: the jobs took 3.2 times as long" in ended.err
    assert "--anyway" in ended.err
    assert not Path("mine.yaml").exists()
    ended = cosim("profile", learning_file, "--out", "mine.yaml", "--anyway")
    assert ended.code == 0
    assert "the machine was busy" in named_profile("path:mine.yaml").source


def test_a_busy_machine_is_told_before_all_is_measured(
    cosim: Any, learning_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has been timed yet: what the jobs are prepared with has shown it."""

    def seconds_of(exercise: Exercise) -> float:
        raise AssertionError("timed")

    monkeypatch.setattr("cosim.profiling.measure.seconds_of", seconds_of)
    monkeypatch.setattr("cosim.profiling.contention._PLAIN_S", 0.0)
    monkeypatch.setattr(ContentionWatch, "contention", lambda self: 3.2)
    ended = cosim("profile", learning_file, "--out", "mine.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert "cosim: the machine was busy: the jobs took 3.2 times as long" in ended.err
    assert "nothing is written" in ended.err
    assert not Path("mine.yaml").exists()
