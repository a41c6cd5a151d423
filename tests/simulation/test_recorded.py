"""Runs on recorded devices: what is told before and after, how a trace ends, and long waits."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import MobilityError
from cosim.preflight.disk import disk_of
from cosim.preflight.explain import explain
from cosim.simulation import world as worlds
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.setup.build import build_devices
from cosim.simulation.setup.waiting import nobody_before_s, waits_s
from cosim.simulation.setup.warnings import closing_warnings
from cosim.simulation.world import World
from cosim.trace.schema import EventKind, PositionRow
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    scenario,
    world_of,
)

# A round of two devices takes 2 s of computing and at most Γ = 2 s.
ROUNDS = 3


def rows(times: Mapping[str, Sequence[float]]) -> str:
    return "\n".join(
        ["time_s,device,x_m,y_m"]
        + [f"{t},{name},{t},{2 * n}" for n, (name, at) in enumerate(times.items()) for t in at]
    )


def recorded(
    tmp_path: Path, times: Mapping[str, Sequence[float]], availability: str = "always", **more: Any
) -> dict[str, Any]:
    (tmp_path / "walk.csv").write_text(rows(times), encoding="utf-8")
    mobility = {"model": "trace", "path": str(tmp_path / "walk.csv"), **more}
    return {
        "count": len(times),
        "profile": PROFILE,
        "mobility": mobility,
        "availability": availability,
    }


def chosen(*groups: dict[str, Any], **sections: Any) -> Any:
    learning = NO_LEARNING | {"payload_bits": 100_000}
    defaults = {"rounds": ROUNDS, "learning": learning, "radio": ROUND_RADIO}
    return scenario(devices=list(groups), **{**defaults, **sections})


def played(one: Any) -> tuple[World, MemoryTrace]:
    trace = MemoryTrace()
    world = world_of(one, trace)
    play_out(world)
    return world, trace


def test_a_trace_that_ends_is_told_before_and_after(tmp_path: Path) -> None:
    one = chosen(recorded(tmp_path, {"a": [0, 5], "b": [0, 2]}))
    said = (
        "the trace walk.csv covers 0 to 5 s; the run may go beyond, to 12 s: its devices then stay "
        "where they are (after_end: stay)"
    )
    assert said in explain(one).warnings
    world, trace = played(one)
    assert said in world.warnings
    end_s = float(world.env.now)
    assert 6.0 < end_s < 6.1
    assert closing_warnings(world) == [
        f"the trace walk.csv ended at 5 s: 2 devices stood still after the last sample, for "
        f"{end_s - 5:.6g} to {end_s - 2:.6g} s (after_end: stay)"
    ]
    assert {row.x_m for row in trace.rows if isinstance(row, PositionRow) and row.time_s > 4} == {
        5.0,
        2.0,
    }


def test_a_trace_that_is_long_enough_is_not(tmp_path: Path) -> None:
    one = chosen(recorded(tmp_path, {"a": [0, 50], "b": [0, 50]}))
    world, _ = played(one)
    assert world.warnings == []
    assert closing_warnings(world) == []


@pytest.mark.parametrize(("after_end", "left"), [("away", {0, 1}), ("stop", {0, 1, 2})])
def test_devices_that_are_away_when_their_trace_has_ended(
    tmp_path: Path, after_end: str, left: set[int]
) -> None:
    others = {"count": 1, "profile": PROFILE, "mobility": {"model": "static"}}
    times = {"a": [0, 3], "b": [0, 5]}
    group = recorded(tmp_path, times, after_end=after_end)
    world, trace = played(chosen(group, others, rounds=5))
    leaves = {(e.device, e.time_s) for e in trace.events if e.kind is EventKind.LEAVE}
    assert leaves == {(device, 5.0) for device in left}
    # The third round of 2 s is the one in which the trace ends.
    assert max(row.round for row in trace.rounds) == (5 if after_end == "away" else 3)
    assert float(world.env.now) == 5.0 or after_end == "away"
    assert not any("stood still" in sentence for sentence in closing_warnings(world))


def test_a_trace_that_begins_again(tmp_path: Path) -> None:
    one = chosen(recorded(tmp_path, {"a": [0, 2.5], "b": [0, 2.5]}, after_end="repeat"))
    world, trace = played(one)
    places = [row.x_m for row in trace.rows if isinstance(row, PositionRow) and row.device == 0]
    assert places == pytest.approx([0.0, 1.0, 2.0, 0.5, 1.5, 0.0, 1.0])
    assert any("it then begins again" in sentence for sentence in world.warnings)
    assert closing_warnings(world) == []
    coming = recorded(tmp_path, {"a": [0, 2.5], "b": [1, 1.5]}, "trace", after_end="repeat")
    _, trace = played(chosen(coming, rounds=2))
    assert trace.times(EventKind.JOIN, 1) == [1.0, 3.5]
    with pytest.raises(MobilityError, match=r"devices\.0\.mobility\.after_end: .* nothing can be"):
        build_devices(
            chosen(recorded(tmp_path, {"a": [0, 5]}, after_end="repeat", time_origin=9.0))
        )


def test_devices_that_are_never_there_are_told(tmp_path: Path) -> None:
    times: dict[str, list[float]] = {
        "a": [0, 90],
        "b": [8.5, 90],
        "c": [40, 90],
        "d": [0, 1],
        "e": [-20, -10],
    }
    one = chosen(recorded(tmp_path, times, "trace", time_origin="file"), rounds=2)
    assert [sentence for sentence in explain(one).warnings if "there" in sentence] == [
        "never there by their trace: device 4",
        "there only when the run may be over, after 8 s: devices 1 (from 8.50 s on), 2 (from 40.00 "
        "s on)",
    ]
    world, _ = played(one)
    assert closing_warnings(world) == ["never there: devices 1, 2, 4"]


def test_a_device_that_comes_too_late_for_a_round_is_told(tmp_path: Path) -> None:
    world, _ = played(chosen(recorded(tmp_path, {"a": [0, 90], "b": [0.5, 90]}, "trace"), rounds=1))
    assert closing_warnings(world) == ["took part in no round: device 1 (joined at 0.50 s)"]


def test_places_outside_the_area_are_told(tmp_path: Path) -> None:
    group = recorded(tmp_path, {"a": [0, 50], "b": [0, 19]})
    (said,) = (s for s in explain(chosen(group, area={"radius_m": 20})).warnings if "area" in s)
    assert said == (
        "outside the area at times: device 0; one that holds them: {shape: disc, radius_m: 50}"
    )
    square = {"shape": "square", "side_m": 60}
    (said,) = (s for s in explain(chosen(group, area=square)).warnings if "area" in s)
    assert said.endswith("{shape: square, side_m: 100}")
    assert not any("area" in s for s in explain(chosen(group, area={"radius_m": 50})).warnings)


def test_notes_of_a_file_are_told(tmp_path: Path) -> None:
    times = {"a": [1e9, *range(50)], "b": list(range(50))}
    world, trace = played(chosen(recorded(tmp_path, times, "trace")))
    assert world.warnings[0] == (
        "walk.csv: 1 sample is left out, being at a time far from all others, 1000000000 s "
        "(2001-09-09): of 'a'"
    )
    assert float(world.env.now) < 20.0
    assert len(trace.positions) == 2 * (1 + math.floor(world.env.now))


def test_what_jumps_more_than_it_walks_is_named(tmp_path: Path) -> None:
    times = {"a": [0, 10, 20, 30, 31], "b": [0, 50]}
    world = world_of(chosen(recorded(tmp_path, times, max_gap_s=5)), MemoryTrace())
    assert any(
        s.startswith("recorded devices that jump more than they walk: 'a' (3 jumps, 1 walks); max_")
        for s in world.warnings
    )


def test_a_long_wait_is_told_and_counted(tmp_path: Path) -> None:
    late = {"a": [50_000, 50_001, 50_050], "b": [60_000, 60_050]}
    one = chosen(recorded(tmp_path, late, "trace", time_origin="file"))
    devices = build_devices(one)
    assert (nobody_before_s(devices), waits_s(one, devices)) == (50_000.0, 59_950.0)
    assert "the run may wait for 16.7 h until a device is there" in explain(one).warnings
    without = disk_of(one, None).traces
    # 24 bytes a row, twice, for two devices and a row a second.
    assert disk_of(one, None, devices).traces == pytest.approx(without + 48 * 2 * 59_950, rel=0.01)
    assert disk_of(one, None, devices).surely == pytest.approx(0.5 * 2 * 50_000)
    always = chosen(recorded(tmp_path, late, time_origin="file"))
    assert waits_s(always, build_devices(always)) == nobody_before_s(build_devices(always)) == 0.0


@pytest.mark.parametrize("model", ["random_waypoint", "gauss_markov", "trace"])
def test_positions_are_written_in_pieces_and_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    group: dict[str, Any] = {"count": 2, "profile": PROFILE, "mobility": {"model": model}}
    if model == "trace":
        group = recorded(tmp_path, {"a": [0, 0.7, 3, 9], "b": [0, 8]})
    one = chosen(group, trace={"positions_every_s": 0.01})
    _, whole = played(one)
    monkeypatch.setattr(worlds, "POSITIONS_AT_ONCE", 14)
    flushed: list[int] = []

    class Counted(MemoryTrace):
        def flush(self) -> None:
            flushed.append(len(self.positions))

    trace = Counted()
    play_out(world_of(one, trace))
    assert trace.rows == whole.rows
    assert max(b - a for a, b in zip([0, *flushed], flushed, strict=False)) <= 14
