"""The curves that trackers draw, whatever they draw them with, and who they are."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.observers.own import own_observer
from cosim.observers.tracker import Tracker
from cosim.scenario.outside.observers import OWN
from tests.calls.conftest import folder as folder
from tests.calls.conftest import learnt as learnt
from tests.observers.curves import LATE, curves

TRACKERS = {"tensorboard": "TensorBoard", "wandb": "WandB", "mlflow": "MLflow"}


class Kept(Tracker):
    """Keeps the points; what it draws with is always there."""

    package, extra = "pytest", "test"

    def __init__(self) -> None:
        super().__init__()
        self.points: list[tuple[int, float, dict[str, float]]] = []
        self.told: list[Any] = []

    def open(self, scenario: Any, directory: Path) -> None:
        """Keeps what it is told."""
        self.told.append((scenario.name, directory.name, (directory / "manifest.json").exists()))

    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Keeps a point."""
        self.points.append((round_, time_s, values))

    def ended(self, status: str) -> None:
        """Keeps what it is told."""
        self.told.append(status)


def test_a_point_a_round_is_what_the_traces_say(folder: Path) -> None:
    kept = Kept()
    run = cosim.run(LATE, observers=[kept])
    expected = curves(run)
    assert 0 < expected["network/missed_share"][-1] < 1
    assert [round_ for round_, _, _ in kept.points] == [1, 2, 3]
    assert [time_s for _, time_s, _ in kept.points] == expected.pop("simulated_s")
    for name, values in expected.items():
        drawn = [point[name] for _, _, point in kept.points]
        assert drawn == pytest.approx(values, rel=1e-12), name
    assert kept.told == [("still", "still-001", True), "completed"]
    unseen = cosim.run(LATE)
    assert unseen.manifest["results_sha256"] == run.manifest["results_sha256"]


def test_one_tracker_of_several_runs_begins_anew_with_each(folder: Path) -> None:
    kept = Kept()
    runs = [cosim.run(LATE, seed=seed, observers=[kept]) for seed in (1, 2)]
    points = [kept.points[:3], kept.points[3:]]
    for run, own in zip(runs, points, strict=True):
        expected = curves(run)["cost/energy_j"]
        assert [values["cost/energy_j"] for _, _, values in own] == pytest.approx(expected)


def test_a_folder_of_its_name_is_no_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a_tracker_s_folder").mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(Kept, "package", "a_tracker_s_folder")
    with pytest.raises(cosim.CosimError, match="is not installed"):
        Kept()


def test_accuracy_is_drawn_where_it_was_scored(learnt: cosim.Run, folder: Path) -> None:
    kept = Kept()
    path = learnt.directory / "scenario.yaml"
    run = cosim.run(path, set={"evaluation.every": 2, "rounds": 4}, observers=[kept])
    course = run.accuracy()
    scored = {round_: values for round_, _, values in kept.points if "learning/accuracy" in values}
    assert list(scored) == [0, 2, 4] == course["round"].unique().tolist()
    for round_, values in scored.items():
        rows = course[course["round"] == round_].set_index("task")["mean"]
        assert values["learning/accuracy"] == pytest.approx(rows.mean())
        assert values["learning/accuracy/sums"] == pytest.approx(rows["sums"])
    losses = run.rounds.groupby("round")["loss"].mean().tolist()
    drawn = [values["learning/loss"] for round_, _, values in kept.points if round_]
    assert drawn == pytest.approx(losses)


class Failing(Kept):
    """Fails in the second round, and once more at the end."""

    def closed(self, round_: int, time_s: float) -> None:
        """Divides by what is left until the second."""
        super().closed(1 // (2 - round_), time_s)

    def ended(self, status: str) -> None:
        """Fails."""
        super().ended(status)
        raise RuntimeError("no")


def test_the_first_failure_is_told_and_everybody_hears_of_the_end(folder: Path) -> None:
    kept, failing = Kept(), Failing()
    with pytest.raises(cosim.CosimError, match=r"Failing, failed at .*: ZeroDivisionError"):
        cosim.run(LATE, observers=[failing, kept])
    assert kept.told[1:] == failing.told[1:] == ["failed"]


class Interrupting(Kept):
    """Stops the run in its second round, as Ctrl-C does."""

    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Stops."""
        if round_ == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_is_told_as_such_and_again_when_it_goes_on(folder: Path) -> None:
    stopped, kept = Interrupting(), Kept()
    with pytest.raises(KeyboardInterrupt):
        cosim.run(LATE, "run", observers=[stopped])
    assert stopped.told[1:] == ["interrupted"]
    cosim.resume("run", observers=[kept])
    assert [round_ for round_, _, _ in kept.points] == [1, 2, 3]
    assert kept.told == [("still", "run", True), "completed"]


class Beginning(cosim.Observer):
    """Is told of the beginning alone."""

    def began(self, scenario: Any, directory: Path) -> None:
        """Keeps the scenario's name."""
        self.scenario = scenario.name


class Ending(cosim.Observer):
    """Is told of the end alone."""

    def ended(self, status: str) -> None:
        """Keeps the status."""
        self.status = status


def test_an_observer_may_only_begin_or_only_end(folder: Path) -> None:
    beginning, ending = Beginning(), Ending()
    cosim.run(LATE, observers=[beginning, ending])
    assert (beginning.scenario, ending.status) == ("still", "completed")


@pytest.mark.parametrize(("name", "called"), TRACKERS.items())
def test_where_its_package_is_absent_there_is_a_sentence(
    name: str, called: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.observers.tracker.find_spec", lambda _: None)
    told = rf"{called} needs the package {name}, .*: pip install 'cosim\[{name}\]'"
    with pytest.raises(cosim.CosimError, match=told):
        getattr(cosim, called)()
    with pytest.raises(cosim.CosimError, match=told):
        cosim.run(LATE, "run", set={"trace.observers": [name]})
    assert not (folder / "run").exists()


def test_a_scenario_that_names_one_is_read_where_its_package_is_absent() -> None:
    scenario = cosim.Scenario.from_dict({**LATE, "trace": {"observers": list(OWN)}})
    assert scenario.trace.observers == OWN == tuple(TRACKERS)


@pytest.mark.parametrize(("name", "called"), TRACKERS.items())
def test_a_name_makes_its_observer_and_imports_nothing(name: str, called: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed; the extra '{name}' brings it")
    if name in sys.modules:
        pytest.skip(f"another test has imported {name}")
    assert type(own_observer(name)) is getattr(cosim, called)
    assert name not in sys.modules
