"""However a run ends, its directory says so and what was written can be read."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import CosimError, RunDirectoryError
from cosim.lifecycle import play as play_module
from cosim.lifecycle import timed_trace
from cosim.lifecycle.play import Interrupted, play
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup.build import given_work
from cosim.trace.reader import read_run
from cosim.trace.schema import SCHEMAS
from tests.simulation.small_networks import scenario

KEYS = {
    *("cosim", "python", "packages", "seed", "dtype", "threads", "base_model_sha256"),
    *("status", "wall_s", "learner_wall_s", "setup_wall_s", "results_sha256"),
}


def failing_in_round(error: BaseException, last: int) -> type[NullLearner]:
    """A learner that raises when devices of a round aggregate."""

    class Failing(NullLearner):
        _round = 0

        def submit(self, device: int, round_: int) -> Any:
            self._round = round_
            return super().submit(device, round_)

        def mix(self, *hearing: Any) -> Any:
            if self._round == last:
                raise error
            return super().mix(*hearing)

    return Failing


def use_learner(patch: pytest.MonkeyPatch, learner: type[NullLearner]) -> None:
    def build(chosen: Scenario) -> NullLearner:
        return learner(1_000_000, given_work(chosen))

    patch.setattr(play_module, "build_learner", build)


def test_a_completed_run_is_complete(tmp_path: Path) -> None:
    chosen = scenario(rounds=2)
    played = play(chosen, out=tmp_path / "run")
    assert sorted(path.name for path in played.directory.iterdir()) == sorted(
        ["scenario.yaml", "manifest.json", *(f"{table}.parquet" for table in SCHEMAS)]
    )
    assert load(played.directory / "scenario.yaml") == chosen
    opened = read_run(played.directory)
    assert opened.manifest["status"] == "completed"
    assert set(opened.manifest) >= KEYS
    assert opened.manifest["simulated_s"] == opened.rounds["end_s"].max()
    assert 0 <= opened.manifest["learner_wall_s"] <= opened.manifest["wall_s"]
    assert len(opened.rounds) == 4


@pytest.mark.parametrize("waited_s", [0.0, 60.0])
def test_while_it_runs_the_directory_says_so_and_is_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited_s: float
) -> None:
    """Rounds of the network alone are not a file each, unless rows have waited for a second."""
    clock = count(0.0, waited_s)
    monkeypatch.setattr(timed_trace, "monotonic", lambda: next(clock))
    seen: list[tuple[str, int]] = []

    class Watch:
        def saw(self, row: Any) -> None:
            pass

        def scored(self, round_: int, measurements: Any) -> None:
            pass

        def closed(self, round_: int, time_s: float) -> None:
            opened = read_run(tmp_path / "run")
            seen.append((opened.manifest["status"], len(opened.rounds)))

    play(scenario(rounds=3), out=tmp_path / "run", observers=[Watch()])
    every = [2, 4, 6] if waited_s else [0, 0, 0]
    assert seen == [("running", rows) for rows in every]


def test_a_crash_is_raised_and_leaves_the_rounds_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("the learner broke")
    use_learner(monkeypatch, failing_in_round(error, 3))
    with pytest.raises(RuntimeError, match="the learner broke"):
        play(scenario(rounds=5), out=tmp_path / "run")
    opened = read_run(tmp_path / "run")
    assert opened.manifest["status"] == "failed"
    assert opened.rounds["round"].tolist() == [1, 1, 2, 2]
    # What the round in progress had written is kept as well.
    assert opened.transfers["round"].max() == 3
    assert opened.manifest["results_sha256"]


def test_an_interrupt_names_the_directory_and_leaves_the_rounds_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_learner(monkeypatch, failing_in_round(KeyboardInterrupt(), 3))
    with pytest.raises(Interrupted) as stop:
        play(scenario(rounds=5), out=tmp_path / "run")
    assert stop.value.directory == tmp_path / "run"
    opened = read_run(tmp_path / "run")
    assert opened.manifest["status"] == "interrupted"
    assert opened.rounds["round"].tolist() == [1, 1, 2, 2]
    assert not (tmp_path / "run" / "parts").exists()


@pytest.mark.parametrize("error", [CosimError("no such model"), KeyboardInterrupt()])
@pytest.mark.parametrize("there_before", [True, False])
def test_what_cannot_start_leaves_things_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, there_before: bool
) -> None:
    def refuse(chosen: Scenario) -> NullLearner:
        raise error

    monkeypatch.setattr(play_module, "build_learner", refuse)
    out = tmp_path / "run"
    if there_before:
        out.mkdir()
    with pytest.raises(type(error)):
        play(scenario(), out=out)
    assert out.exists() == there_before
    assert not list(tmp_path.rglob("*.json")) + list(tmp_path.rglob("parts"))


def test_a_directory_that_holds_something_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunDirectoryError, match=r"notes\.txt"):
        play(scenario(), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
