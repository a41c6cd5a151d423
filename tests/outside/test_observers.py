"""Who looks on at a run: objects that `cosim.run` takes, and names that packages declare."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.errors import ObserverError, ScenarioError
from cosim.learning.records import Measurement
from cosim.lifecycle.play import play, resume
from cosim.scenario.load import load
from cosim.trace.schema import Row
from tests.outside.air_package import MODULE, forget, install

TEXT = """\
seed: 7
rounds: 3
learning: none
method: proposed_single_cluster
devices: [{count: 3, mobility: static}]
radio: {fading: block}
"""
WATCHED = TEXT + "trace: {observers: [log]}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "s.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


class Watch:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.scores = 0
        self.ends: list[tuple[int, float]] = []

    def saw(self, row: Row) -> None:
        """Counts a row."""
        self.rows[type(row).__name__] += 1

    def scored(self, round_: int, measurements: Sequence[Measurement]) -> None:
        """Counts an evaluation."""
        self.scores += 1

    def closed(self, round_: int, time_s: float) -> None:
        """Keeps when a round ended."""
        self.ends.append((round_, time_s))


def test_an_observer_is_told_every_row_and_every_round(path: Path, tmp_path: Path) -> None:
    watch, other = Watch(), Watch()
    run = cosim.run(path, out=tmp_path / "run", observers=[watch, other])
    assert watch.rows == other.rows
    assert watch.rows["EventRow"] == len(run.events)
    assert watch.rows["TransferRow"] == len(run.transfers) == 18
    assert watch.rows["RoundRow"] == len(run.rounds) == 9
    assert watch.scores > 0
    assert watch.ends == list(run.rounds.groupby("round")["end_s"].max().items())
    unseen = cosim.run(load(path), out=tmp_path / "unseen")
    assert unseen.manifest["results_sha256"] == run.manifest["results_sha256"]


class Silent(cosim.Observer):
    """Defines nothing."""


def test_an_observer_does_nothing_where_it_defines_nothing(path: Path, tmp_path: Path) -> None:
    run = cosim.run(path, out=tmp_path / "run", observers=[Silent()])
    assert run.manifest["status"] == "completed"


def test_a_scenario_names_an_observer(path: Path, site: Path, tmp_path: Path) -> None:
    install(site)
    path.write_text(WATCHED, encoding="utf-8")
    run = cosim.run(path, out=tmp_path / "run")
    ends = [f"{end} {end_s!r}" for end, end_s in run.rounds.groupby("round")["end_s"].max().items()]
    log = (tmp_path / "run" / "rounds.log").read_text(encoding="utf-8")
    assert log.splitlines() == ["s", *ends]
    assert run.manifest["outside"]["trace.observers.0"]["observes"] is True
    path.write_text(TEXT, encoding="utf-8")
    unseen = cosim.run(path, out=tmp_path / "unseen")
    assert unseen.manifest["results_sha256"] == run.manifest["results_sha256"]


class Broken(cosim.Observer):
    """Fails in the second round."""

    def closed(self, round_: int, time_s: float) -> None:
        """Divides by what is left until the second."""
        print(1 / (2 - round_))


def test_an_observer_that_raises_is_told_and_the_runs_files_are_right(
    path: Path, tmp_path: Path
) -> None:
    place = r"Broken, failed at .*test_observers\.py:\d+: ZeroDivisionError: division by zero"
    with pytest.raises(ObserverError, match=place) as told:
        cosim.run(path, out=tmp_path / "run", observers=[Broken()])
    assert isinstance(told.value.__cause__, ZeroDivisionError)
    run = cosim.read_run(tmp_path / "run")
    assert run.manifest["status"] == "failed"
    assert run.rounds["round"].tolist() == [1, 1, 1, 2, 2, 2]
    resume(tmp_path / "run")
    whole = cosim.run(path, out=tmp_path / "whole")
    resumed = cosim.read_run(tmp_path / "run").manifest
    assert resumed["results_sha256"] == whole.manifest["results_sha256"]


def test_a_run_goes_on_with_an_observer_that_was_mended(
    path: Path, site: Path, tmp_path: Path
) -> None:
    module = install(site, source=MODULE.replace("log.write(f", "log.rite(f"))
    path.write_text(WATCHED, encoding="utf-8")
    with pytest.raises(ObserverError, match=r"Log, failed at .*my_air\.py:\d+: AttributeError"):
        play(load(path), out=tmp_path / "run")
    module.write_text(MODULE, encoding="utf-8")
    forget(site)
    resume(tmp_path / "run")
    log = (tmp_path / "run" / "rounds.log").read_text(encoding="utf-8")
    assert len(log.splitlines()) == 4


NAMES = {"cosim.observers": {"log": "Log", "odd": "odd", "number": "number"}}


@pytest.mark.parametrize(
    ("names", "source", "told"),
    [
        ("[lag]", MODULE, r"s\.yaml:7: trace\.observers\.0: 'lag' is not an observer; did you "
         r"mean 'log'\? \(one of tensorboard, wandb, mlflow, log, odd, number\)"),
        ("[log, number]", MODULE + "number = 3\n", r"trace\.observers\.1: number of my-air 1\.0 "
         r"\(.*\) is neither a class nor a function"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_observers_is_refused_with_the_scenario(
    path: Path, site: Path, names: str, source: str, told: str
) -> None:
    install(site, source=source, entry_points=NAMES)
    path.write_text(f"{TEXT}trace: {{observers: {names}}}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=told):
        load(path)


def test_where_nothing_is_installed_only_cosims_own_can_be_named(path: Path, site: Path) -> None:
    path.write_text(WATCHED, encoding="utf-8")
    told = r"'log' is not an observer \(one of tensorboard, wandb, mlflow\)"
    with pytest.raises(ScenarioError, match=told):
        load(path)


def test_a_package_cannot_take_the_name_of_cosims_own(path: Path, site: Path) -> None:
    install(site, entry_points={"cosim.observers": {"wandb": "Log"}})
    path.write_text(f"{TEXT}trace: {{observers: [wandb]}}\n", encoding="utf-8")
    with pytest.raises(
        ScenarioError, match=r"wandb of my-air 1\.0 .* takes a name that is cosim's"
    ):
        load(path)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 3", r"makes no cosim\.Observer: it lacks saw, scored, closed"),
        ("raise RuntimeError('no')", r"cannot be made: RuntimeError: no"),
    ],
)
def test_what_is_made_must_be_an_observer(
    path: Path, site: Path, tmp_path: Path, body: str, told: str
) -> None:
    install(
        site,
        source=f"def odd(scenario, directory):\n    {body}\n",
        entry_points={"cosim.observers": {"log": "odd"}},
    )
    path.write_text(WATCHED, encoding="utf-8")
    with pytest.raises(ObserverError, match=r"^trace\.observers\.0: log of my-air 1\.0 " + told):
        play(load(path), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_one_inherits_from_comes_without_the_simulation() -> None:
    code = (
        "import sys, cosim\n"
        "names = cosim.Observer, cosim.PathLoss, cosim.Fading, cosim.Mobility\n"
        "heavy = {'torch', 'simpy', 'numpy', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)\n"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Observed'"):
        _ = cosim.Observed
