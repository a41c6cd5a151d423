"""When recorded devices are there: late joiners, early leavers, gaps, switches."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.read import TraceReading, read_trace

inf = math.inf
Spells = tuple[tuple[float, float], ...]
EVER: Spells = ((0.0, inf),)


def _read(tmp_path: Path, text: str, **options: object) -> dict[str, Spells]:
    file = tmp_path / "a.trace"
    file.write_text(text, encoding="utf-8")
    paths = read_trace(file, TraceReading(**options))  # type: ignore[arg-type]
    return {name: path.presence_s for name, path in paths.items()}


def _csv(
    tmp_path: Path, times: Mapping[str, Sequence[float]], **options: object
) -> dict[str, Spells]:
    rows = (f"{time},{name},{time},0" for name, at in times.items() for time in at)
    text = "\n".join(["time_s,device,x_m,y_m", *rows])
    return _read(tmp_path, text, **options)


def _ns2(tmp_path: Path, commands: str, **options: object) -> Spells:
    places = "$node_(0) set X_ 1\n$node_(0) set Y_ 2\n"
    moves = '$ns_ at 3 "$node_(0) setdest 5 5 1"\n'
    return _read(tmp_path, places + commands + "\n" + moves, format="ns2", **options)["0"]


def test_a_device_is_there_from_its_first_to_its_last_sample(tmp_path: Path) -> None:
    times = {"whole": [100, 110, 120, 130], "late": [120, 110, 130], "early": [100, 110, 110]}
    assert _csv(tmp_path, times) == {
        "whole": ((0.0, 30.0),),
        "late": ((10.0, 30.0),),
        "early": ((0.0, 10.0),),
    }
    assert _csv(tmp_path, times, time_origin=115.0)["early"] == ((-15.0, -5.0),)
    assert _csv(tmp_path, times, time_origin="file")["late"] == ((110.0, 130.0),)


def test_a_long_gap_is_an_absence_wherever_the_device_is_after_it(tmp_path: Path) -> None:
    times = {"a": [0, 10, 20, 31, 41], "b": [0, 41]}
    assert _csv(tmp_path, times, max_gap_s=10.0)["a"] == ((0.0, 20.0), (31.0, 41.0))
    assert _csv(tmp_path, times, max_gap_s=11.0)["a"] == ((0.0, 41.0),)
    resting = "time_s,device,x_m,y_m\n0,a,1,1\n5,a,1,1\n50,a,1,1\n55,a,1,1\n"
    assert _read(tmp_path, resting, max_gap_s=10.0)["a"] == ((0.0, 5.0), (50.0, 55.0))


def test_samples_that_stand_alone(tmp_path: Path) -> None:
    times = {"between": [0, 10, 50, 90, 100], "last": [0, 10, 50], "only": [50], "all": [20, 60]}
    assert _csv(tmp_path, times, max_gap_s=10.0) == {
        "between": ((0.0, 10.0), (90.0, 100.0)),
        "last": ((0.0, 10.0),),
        "only": ((50.0, inf),),
        "all": ((20.0, inf),),
    }


def _fcd(*steps: tuple[float, str], order: int = 1) -> str:
    written = (
        f'<timestep time="{time}">'
        + "".join(f'<vehicle id="{name}" x="{time}" y="0"/>' for name in names)
        + "</timestep>"
        for time, names in steps[::order]
    )
    return f"<fcd-export>{''.join(written)}</fcd-export>"


@pytest.mark.parametrize("order", [1, -1])
def test_a_vehicle_that_vanishes_and_comes_back_was_away(tmp_path: Path, order: int) -> None:
    steps = [(10, ""), (11, "ab"), (12, "ab"), (13, "b"), (14, ""), (15, "abc"), (16, "a")]
    spells = _read(tmp_path, _fcd(*steps, order=order), format="sumo_fcd")
    assert spells == {
        "a": ((0.0, 1.0), (4.0, 5.0)),
        "b": ((0.0, 2.0),),
        "c": ((4.0, inf),),
    }
    # The same rows in a table of samples tell of no absence.
    times = {name: [time for time, names in steps if name in names] for name in "ab"}
    assert _csv(tmp_path, times) == {"a": ((0.0, 5.0),), "b": ((0.0, 4.0),)}


def test_vehicles_gaps_and_origins(tmp_path: Path) -> None:
    text = _fcd((0, "a"), (1, "a"), (50, "a"), (51, "a"))
    assert _read(tmp_path, text, max_gap_s=10.0)["a"] == ((0.0, 1.0), (50.0, 51.0))
    assert _read(tmp_path, text, time_origin=0.1)["a"] == ((-0.1, 51 - 0.1),)
    # Two timesteps that a far origin rounds to one are no absence.
    close = _fcd((0, "a"), (1e-9, "a"), (2, "a"))
    assert _read(tmp_path, close, time_origin=-1e9)["a"] == ((1e9, 1e9 + 2.0),)


def test_gpx_segments_are_gaps_like_others(tmp_path: Path) -> None:
    pytest.importorskip("gpxpy")
    pytest.importorskip("pyproj")
    point = '<trkpt lat="1" lon="1"><time>2024-05-01T08:{}Z</time></trkpt>'.format
    parts = [point("00:00"), point("00:05"), "</trkseg><trkseg>", point("00:09"), point("00:20")]
    text = f"<gpx><trk><trkseg>{''.join(parts)}</trkseg></trk></gpx>"
    assert _read(tmp_path, text)["track 1"] == ((0.0, 20.0),)
    # The last sample stands alone then.
    assert _read(tmp_path, text, max_gap_s=10.0)["track 1"] == ((0.0, 9.0),)


@pytest.mark.parametrize(
    ("commands", "spells"),
    [
        ("", EVER),
        ('$ns_ at 7 "$node_(0) switch OFF"', ((0.0, 7.0),)),
        ('$ns_ at 0 "$node_(0) off"\n$ns_ at 2.5 "$node_(0) on"', ((2.5, inf),)),
        ('$ns_ at 9 {$node_(0) start};# x\n$ns at 4 "$node_(0) stop"', ((0.0, 4.0), (9.0, inf))),
        # SUMO's activity files say when a vehicle comes and goes, and that alone.
        ('$ns_ at 4 "$g(0) start"; # SUMO-ID: a\n$ns_ at 9 "$g(0) stop"', ((4.0, 9.0),)),
        ('$node_(0) off\n$ns_ at 5 "$node_(0) switch on"', ((5.0, inf),)),
        ('$ns_ at 0 "$node_(0) off"\n$node_(0) on', ()),
        ("$node_(0) start\n$node_(0) random-motion 0", EVER),
        # Again off, or on and off at once, changes nothing.
        ('$ns_ at 4 "$node_(0) off"\n$ns_ at 5 "$node_(0) off"', ((0.0, 4.0),)),
        ('$ns_ at 4 "$node_(0) off"\n$ns_ at 4 "$node_(0) on"', EVER),
        ('$ns_ at 4 "$node_(0) on"\n$ns_ at 4 "$node_(0) off"', ()),
        # What neither comes nor goes, or another one's switch.
        ('$ns_ at 4 "$node_(0) switch"\n$ns_ at 5 "$node_(0) switch $x"', EVER),
        ('$ns_ at 4 "$node_(0) reset"\n$ns_ at 5 "$node_(8) off"\n$node_(9) off', EVER),
    ],
)
def test_switches_of_ns2(tmp_path: Path, commands: str, spells: Spells) -> None:
    assert _ns2(tmp_path, commands) == spells


def test_switches_follow_the_clock_and_move_nothing(tmp_path: Path) -> None:
    off = '$ns_ at 4 "$node_(0) switch OFF"\n$ns_ at 2000 "$node_(0) switch ON"'
    assert _ns2(tmp_path, off, time_origin=5.0) == ((-5.0, -1.0), (1995.0, inf))
    # Rounded away by a clock this far off.
    assert _ns2(tmp_path, '$ns_ at 1e-9 "$node_(0) off"', time_origin=1e9) == ()
    text = f'$node_(0) set X_ 1\n$node_(0) set Y_ 2\n{off}\n$ns_ at 3 "$node_(0) setdest 5 2 1"\n'
    (tmp_path / "b.ns2").write_text(text, encoding="utf-8")
    path = read_trace(tmp_path / "b.ns2")["0"]
    assert path.position_m([5.0, 7.0]).tolist() == [[3, 2], [5, 2]]


@pytest.mark.parametrize(("time", "said"), [("soon", "the time is 'soon'"), ("-1", "before the")])
def test_a_switch_at_no_time_is_refused_with_its_line(tmp_path: Path, time: str, said: str) -> None:
    with pytest.raises(MobilityError, match=rf"a\.trace:3: .*{said}"):
        _ns2(tmp_path, f'$ns_ at {time} "$node_(0) switch OFF"')
