"""A sweep file becomes points, or one message that names its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.load import load
from cosim.scenario.mobility import RecordedTrace
from cosim.sweeping.definition import read_sweep

SCENARIO = """\
rounds: 3
learning: none
method: {name: lora}
devices:
  - {count: 3, mobility: {model: static}}
"""
SWEEP = """\
scenario: ../small.yaml
seeds: [3, 1]
grid:
  method.topology: [ring, complete]
  devices.0.count:
    - 4
    - 5
set:
  radio.deadline_s: 1.5
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    (tmp_path / "small.yaml").write_text(SCENARIO, encoding="utf-8")
    path = tmp_path / "sweeps" / "both.yaml"
    path.parent.mkdir()

    def text(*edits: tuple[str, str]) -> Path:
        text = SWEEP
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        return path

    return text


def test_every_combination_for_every_seed(write: Callable[..., Path]) -> None:
    sweep = read_sweep(write())
    assert sweep.name == "both"
    found = [
        (p.values["method.topology"], p.values["devices.0.count"], p.seed) for p in sweep.points
    ]
    assert found == [(t, n, s) for t in ("ring", "complete") for n in (4, 5) for s in (3, 1)]
    for point in sweep.points:
        scenario = point.scenario
        assert scenario.method.topology.word() == point.values["method.topology"]
        assert scenario.device_count == point.values["devices.0.count"]
        assert scenario.seed == point.seed
        assert scenario.radio.deadline_s == 1.5
    assert len({point.name for point in sweep.points}) == 8


def test_a_point_is_what_set_makes_of_the_scenario(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    point = read_sweep(write()).points[-1]
    overrides = ["radio.deadline_s=1.5", "method.topology=complete", "devices.0.count=5", "seed=1"]
    assert point.scenario == load(tmp_path / "small.yaml", overrides)


def test_the_dump_is_a_sweep_of_the_same_points(write: Callable[..., Path], tmp_path: Path) -> None:
    sweep = read_sweep(write())
    copy = tmp_path / "elsewhere.yaml"
    copy.write_text(sweep.dump(), encoding="utf-8")
    again = read_sweep(copy)
    assert [(p.name, p.scenario) for p in again.points] == [
        (p.name, p.scenario) for p in sweep.points
    ]


def test_a_grid_may_be_left_out(write: Callable[..., Path]) -> None:
    path = write()
    path.write_text("scenario: ../small.yaml\nseeds: [2]\n", encoding="utf-8")
    assert [point.name for point in read_sweep(path).points] == ["seed-2"]


def test_paths_of_files_start_at_the_sweep(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(
        ("set:", "set:\n  devices.0.mobility: {model: trace, path: walks.csv}"),
    )
    (point, *_) = read_sweep(path).points
    mobility = point.scenario.devices[0].mobility
    assert isinstance(mobility, RecordedTrace)
    assert mobility.path == str(tmp_path / "sweeps" / "walks.csv")


def test_seeds_may_be_a_range(write: Callable[..., Path]) -> None:
    sweep = read_sweep(write(("seeds: [3, 1]", "seeds: {range: [1, 20, 1]}")))
    assert list(sweep.seeds) == list(range(1, 21))
    assert len(sweep.points) == 4 * 20


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds: [3, 1]", "seeds: []", "both.yaml:2: seeds: "),
        ("seeds: [3, 1]", "seeds: [3, 3]", "both.yaml:2: seeds: 3 is given twice"),
        ("seeds: [3, 1]", "seeds: [-1]", "both.yaml:2: seeds.0: "),
        ("[3, 1]", "{range: [1, 6, 2]}", "both.yaml:2: seeds.range: steps of 2 from 1 do not"),
        ("[3, 1]", "{range: [-1, 6, 1]}", "both.yaml:2: seeds.range.0: "),
        ("[3, 1]", "{range: [1, 2.5, 1]}", "both.yaml:2: seeds.range.1: "),
        ("seeds:", "seed:", "unknown key; did you mean 'seeds'?"),
        ("[ring, complete]", "ring", "both.yaml:4: grid.method.topology: expected a list"),
        ("[ring, complete]", "[ring, ringg]", "both.yaml:4: method.topology.graph: "),
        ("method.topology", "method.topologi", "both.yaml:4: method.topologi: unknown key"),
        ("method.topology", "method..x", "both.yaml:4: method..x: the path has an empty part"),
        ("devices.0.count", "devices.7.count", "both.yaml:6: devices.7.count: '7' is not in"),
        ("    - 5", "    - 0", "both.yaml:7: devices.0.count: "),
        ("    - 5", "    - 4.0", "both.yaml:7: grid.devices.0.count: 4.0 is given twice"),
        ("radio.deadline_s", "radio.deadlin_s", "both.yaml:9: radio.deadlin_s: unknown key"),
        ("radio.deadline_s", "seed", "both.yaml:9: set.seed: give them as 'seeds'"),
        ("radio.deadline_s", "method.topology", "both.yaml:4: grid.method.topology: it is under"),
        ("devices.0.count:", "rounds, rounds:", "both.yaml:5: grid.rounds: the grid has it twice"),
        (
            "radio.deadline_s",
            "method.topology.probability",
            "both.yaml:4: grid.method.topology: a whole 'method.topology' replaces what "
            "'method.topology.probability' has set",
        ),
        ("devices.0.count:", "method:", "grid.method: a whole 'method' replaces what"),
        ("../small", "../smal", "smal.yaml: no such file; did you mean"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    write: Callable[..., Path], old: str, new: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as refused:
        read_sweep(write((old, new)))
    message = str(refused.value)
    assert said in message
    assert message.count("\n") == 0, "points that fail alike are told of once"


def test_paths_with_commas_between_them_take_each_value_together(
    write: Callable[..., Path],
) -> None:
    sweep = read_sweep(write(("devices.0.count:", "devices.0.count, rounds:")))
    found = [(p.scenario.device_count, p.scenario.rounds) for p in sweep.points]
    assert found == [(n, n) for _ in range(2) for n in (4, 5) for _ in range(2)]
    assert {p.name.split("__")[1] for p in sweep.points} == {"count-rounds-4", "count-rounds-5"}


def test_all_points_are_checked_and_a_combination_is_named(write: Callable[..., Path]) -> None:
    """Each value is fine by itself; only together they do not fit."""
    path = write(
        ("method.topology: [ring, complete]", "method.projection: [trainable, frozen_own_seed]"),
    )
    with pytest.raises(ScenarioError) as refused:
        read_sweep(path)
    assert "with projection frozen every device has another A" in str(refused.value)
    assert "both.yaml:4" in str(refused.value)


def test_a_mistake_of_the_scenario_is_told_with_its_own_line(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO.replace("rounds: 3", "rounds: 0"), "utf-8")
    with pytest.raises(ScenarioError, match=r"small\.yaml:1: rounds: .* \(in topology-ring__"):
        read_sweep(write())


@pytest.mark.slow
def test_too_many_runs_are_refused(write: Callable[..., Path]) -> None:
    path = write(("[3, 1]", str(list(range(10_001)))))
    with pytest.raises(ScenarioError, match="asks for 40004 runs"):
        read_sweep(path)
