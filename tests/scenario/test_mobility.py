"""The mobility section: what it accepts, what it says about mistakes, where paths start."""

from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.load import dump, load

TEXT = "rounds: 1\nmethod: local\nlearning: none\ndevices:\n- count: 2\n  mobility: {}\n"


def write(tmp_path: Path, mobility: str, folder: str = ".") -> Path:
    path = tmp_path / folder / "a.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT.format(mobility), encoding="utf-8")
    return path


GOOD = [
    "{model: static, placement: grid}",
    "{model: static, placement: given, positions_m: [[0, 1], [2.5, -3]]}",
    "{model: gauss_markov}",
    "{model: gauss_markov, mean_speed_m_s: 0, sigma_m_s: 2, memory_s: 1e-3, step_s: 0.5}",
    "{model: trace, path: /a/b.csv}",
    "{model: trace, path: /a/b.xml, format: sumo_fcd, degrees: true, centre_deg: [48, 9]}",
    "{model: trace, path: /a/b.gpx, device_ids: [a, 7], time_origin: 1.7e9, offset_m: [1, 2]}",
    "{model: trace, path: /a/b.ns2, time_origin: file, max_gap_s: 5, max_speed_m_s: 40}",
]


@pytest.mark.parametrize("mobility", GOOD)
def test_the_dump_loads_to_an_equal_scenario(tmp_path: Path, mobility: str) -> None:
    scenario = load(write(tmp_path, mobility))
    again = tmp_path / "again.yaml"
    again.write_text(dump(scenario), encoding="utf-8")
    assert load(again) == scenario


MISTAKES = {
    "{model: static, placement: given}": (": placement 'given' needs positions_m, [[x, y], …]"),
    "{model: static, positions_m: [[0, 1]]}": (
        ": positions_m belongs to placement 'given', not 'uniform'"
    ),
    "{model: static, placement: given, positions_m: [[0, 1]]}": (
        ".positions_m: 1 positions for 2 devices"
    ),
    "{model: static, placement: given, positions_m: [[0, 1], [2]]}": ".positions_m.1",
    "{model: static, placement: gird}": (
        ".placement: 'gird' is not one of uniform, grid, given; did you mean 'grid'?"
    ),
    "{model: gauss_markov, memory_s: 0}": ".memory_s: expected a number > 0 and ≤ 1e6, got 0",
    "{model: trace}": ": the key 'path' is missing (of the file, from the scenario's directory)",
    "{model: trace, path: a.csv, device_ids: [a]}": ".device_ids: 1 ids for 2 devices",
    "{model: trace, path: a.csv, format: fcd}": ".format: 'fcd' is not one of auto, ns2, sumo_fcd",
    "{model: trace, path: a.csv, time_origin: noon}": ".time_origin: expected one of earliest",
    "{model: trace, path: a.csv, max_gap_s: .inf}": ".max_gap_s: ",
    "{model: gauss_markow}": (
        ".model: 'gauss_markow' is not one of static, random_waypoint, gauss_markov, trace; "
        "did you mean 'gauss_markov'?"
    ),
}


@pytest.mark.parametrize("mobility", MISTAKES)
def test_a_mistake_is_named_where_it_is(tmp_path: Path, mobility: str) -> None:
    path = write(tmp_path, mobility)
    with pytest.raises(ScenarioError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}:6: devices.0.mobility{MISTAKES[mobility]}")


def test_trace_paths_start_where_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path, "{model: trace, path: traces/b.csv}", "deep")

    def path_of(*overrides: str) -> str:
        return load(file, overrides).devices[0].mobility.path  # type: ignore[union-attr]

    assert path_of() == f"{tmp_path}/deep/traces/b.csv"
    assert path_of("devices.0.mobility.path=b.csv") == f"{tmp_path}/b.csv"
    assert path_of("devices.0.mobility.path=/b.csv") == "/b.csv"
    assert path_of("devices.0.mobility.path=~/b.csv") == "~/b.csv"
