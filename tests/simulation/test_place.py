"""Devices where their groups say: at rest, on one grid, with a memory, or as recorded."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cosim import load_scenario
from cosim.cli.summary import print_summary
from cosim.errors import CosimError, MobilityError, ScenarioError
from cosim.lifecycle.play import play
from cosim.mobility.grid import grid
from cosim.preflight.explain import explain
from cosim.scenario.complaints.blame import blaming
from cosim.scenario.load import load_with_document
from cosim.simulation.setup.build import area_of, build_devices
from cosim.trace.reader import read_run
from tests.simulation.small_networks import (
    MemoryTrace,
    play_to_the_end,
    scenario,
    simulate,
    world_of,
)

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ROWS = "time_s,device,x_m,y_m\n0,a,0,0\n9,a,9,0\n0,b,1,1\n9,b,1,1\n0,c,2,2\n9,c,2,5\n0,3,3,3\n"


def groups(*some: tuple[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"count": count, "mobility": mobility} for count, mobility in some]


def places(devices: list[dict[str, Any]], time_s: float = 0.0, **sections: Any) -> Any:
    built = build_devices(scenario(devices=devices, **sections))
    return [device.trajectory.position_m(time_s).tolist() for device in built]


@pytest.fixture
def trace_file(tmp_path: Path) -> str:
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return str(tmp_path / "rows.csv")


def test_given_places() -> None:
    given = {"model": "static", "placement": "given", "positions_m": [[1, 2], [-3, 4]]}
    assert places(groups((2, given))) == [[1, 2], [-3, 4]]
    with pytest.raises(
        ScenarioError, match=r"^devices.1.mobility.positions_m.0: \[1, 2\] is outside the area"
    ):
        places(groups((1, {"model": "static"}), (2, given)), area={"radius_m": 2})


def test_groups_on_a_grid_share_it() -> None:
    on_grid = {"model": "static", "placement": "grid"}
    devices = groups((3, on_grid), (1, {"model": "static"}), (4, on_grid))
    found = places(devices)
    chosen = scenario(devices=devices)
    np.testing.assert_array_equal(found[:3] + found[4:], grid(area_of(chosen), 7))
    # Whoever stands beside them draws as if alone.
    alone = groups((3, {"model": "static"}), (1, {"model": "static"}))
    assert places(alone)[3] == found[3]


def test_gauss_markov_devices_have_a_stream_each() -> None:
    moving = {"model": "gauss_markov", "mean_speed_m_s": 2.0, "sigma_m_s": 0.5}
    two, three = (places(groups((count, moving)), 7.0) for count in (2, 3))
    assert three[:2] == two
    assert two[0] != two[1]
    with pytest.raises(ScenarioError, match=r"^devices.0.mobility.step_s: 4.5 m/s .* shorten"):
        places(groups((1, moving)), area={"radius_m": 2})


def test_recorded_devices_in_the_order_of_the_file(trace_file: str) -> None:
    trace = {"model": "trace", "path": trace_file}
    assert places(groups((2, trace)), 9.0) == [[9, 0], [1, 1]]
    # Groups that name one file share its devices out.
    named = trace | {"device_ids": ["b", 3]}
    assert places(groups((2, named), (2, trace)), 9.0) == [[1, 1], [3, 3], [9, 0], [2, 5]]


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ([(5, {})], "devices.0.mobility.path: FILE: has 4 devices; the group has 5"),
        (
            [(2, {}), (3, {})],
            "devices.1.mobility.path: FILE: has 4 devices, 2 of them taken by groups before; the "
            "group has 3",
        ),
        (
            [(1, {"device_ids": ["z"]})],
            "devices.0.mobility.device_ids.0: 'z' is not one of the 4 devices of FILE (a, b, c, 3)",
        ),
        (
            [(1, {"device_ids": ["B"]})],
            "devices.0.mobility.device_ids.0: 'B' is not one of the 4 devices of FILE (a, b, c, 3)"
            "; did you mean 'b'?",
        ),
        (
            [(1, {}), (2, {"device_ids": ["b", "a"]})],
            "devices.1.mobility.device_ids.1: 'a' is taken already, by devices.0",
        ),
        (
            [(1, {"format": "ns2"})],
            "devices.0.mobility.path: FILE:1: 'time_s,device,x_m,y_m' is not understood; "
            "expected setdest, set X_ or set Y_",
        ),
    ],
)
def test_what_the_file_cannot_give_is_refused(
    trace_file: str, some: list[tuple[int, dict[str, Any]]], said: str
) -> None:
    trace = {"model": "trace", "path": trace_file}
    with pytest.raises(MobilityError) as refused:
        places(groups(*((count, trace | more) for count, more in some)))
    assert str(refused.value) == said.replace("FILE", trace_file)


def test_the_run_names_devices_that_never_move(trace_file: str) -> None:
    trace = {"model": "trace", "path": trace_file, "max_gap_s": 5}
    chosen = scenario(devices=groups((4, trace)))
    said = [
        "recorded devices that never move: 'b', '3'",
        "jumps in recorded paths (gaps and teleports take no time): 2",
    ]
    assert world_of(chosen, MemoryTrace()).warnings == said
    assert list(explain(chosen).warnings[:2]) == said


def test_warnings_are_in_the_manifest_and_in_the_summary(trace_file: str, tmp_path: Path) -> None:
    trace = {"model": "trace", "path": trace_file, "max_gap_s": 5}
    played = play(scenario(devices=groups((4, trace))), out=tmp_path / "run")
    said = played.manifest["warnings"]
    assert said[0] == "recorded devices that never move: 'b', '3'"
    assert read_run(played.directory).manifest["warnings"] == said
    screen = io.StringIO()
    print_summary(read_run(played.directory), Console(file=screen, width=200))
    for sentence in said:
        assert f"warning: {sentence}" in screen.getvalue()


def test_the_scenario_s_line_is_blamed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "rounds: 1\nmethod: local\nlearning: none\ndevices:\n- count: 2\n  mobility:\n"
        "    model: trace\n    path: gone.csv\n",
        encoding="utf-8",
    )
    chosen, document = load_with_document(path)
    with pytest.raises(CosimError) as refused, blaming(document):
        build_devices(chosen)
    assert str(refused.value) == (
        f"{path}:8: devices.0.mobility.path: {tmp_path}/gone.csv: cannot be read: no such file or "
        "directory"
    )


@pytest.mark.parametrize("name", ["gauss_markov", "recorded_trace"])
def test_the_example_scenarios_run(name: str) -> None:
    chosen = load_scenario(SCENARIOS / f"{name}.yaml", ["rounds=2"])
    trace = MemoryTrace()
    world = world_of(chosen, trace)
    play_to_the_end(world)
    assert len(trace.rounds) == 2 * chosen.device_count
    assert any(row.outcome == "delivered" for row in trace.transfers)
    moved = {row.device for row in trace.rounds if row.x_m != trace.positions[row.device].x_m}
    assert moved
    inside = area_of(chosen).contains([(row.x_m, row.y_m) for row in trace.positions])
    assert np.all(inside)


def test_a_recorded_run_is_the_same_again(trace_file: str) -> None:
    chosen = scenario(
        devices=groups((3, {"model": "trace", "path": trace_file}), (1, {"model": "gauss_markov"})),
        radio={"fading": {"model": "clarke", "sinusoids": 8}},
    )
    assert simulate(chosen).rows == simulate(chosen).rows
