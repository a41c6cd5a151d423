"""Samples that no device can have made: which are left out, which stay, and what is said."""

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace

EPOCH_S = 1_701_360_000
DAY_S = 86_400.0
Row = tuple[float, str, float, float]


def walk(
    device: str, *, since: float = EPOCH_S, seconds: int = 120, y: float = 0.0, x: float = 0.0
) -> list[Row]:
    return [(since + t, device, x + t, y) for t in range(seconds)]


def read(
    tmp_path: Path, rows: list[Row], columns: str = "x_m,y_m", **options: object
) -> dict[str, RecordedPath]:
    text = "\n".join([f"time_s,device,{columns}", *(",".join(map(str, row)) for row in rows)])
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    return dict(read_trace(tmp_path / "a.csv", TraceReading(**options)))  # type: ignore[arg-type]


def notes(paths: dict[str, RecordedPath]) -> tuple[str, ...]:
    recording = next(iter(paths.values())).recording
    assert recording is not None
    return recording.notes


@pytest.mark.parametrize(
    "stray_s", [0.0, EPOCH_S - 4 * DAY_S, EPOCH_S + 1e6, EPOCH_S + 5e9, 1e11, -3e9]
)
@pytest.mark.parametrize("both", [False, True])
def test_a_stray_date_is_left_out_and_told(tmp_path: Path, stray_s: float, both: bool) -> None:
    rows = [*walk("a"), *walk("b", y=20.0)]
    strays = [(stray_s, "a", 0.0, 0.0), *([(stray_s + 3, "b", 0.0, 0.0)] if both else [])]
    paths = read(tmp_path, [*strays, *rows])
    clean = read(tmp_path, rows)
    for name, path in clean.items():
        np.testing.assert_array_equal(paths[name].times_s, path.times_s)
        np.testing.assert_array_equal(paths[name].x_m, path.x_m)
        assert paths[name].presence_s == path.presence_s
    said = "1 sample is" if not both else "2 samples are"
    (note,) = notes(paths)
    assert note.startswith(f"{said} left out, being at a time far from all others, {stray_s:.12g} ")
    assert note.endswith("of 'a', 'b'" if both else "of 'a'")
    assert notes(clean) == ()
    if stray_s == 0.0 and not both:
        assert "0 s (1970-01-01)" in note


def test_one_in_a_hundred_is_stray_however_they_lie_together(tmp_path: Path) -> None:
    rows = walk("a", seconds=1000)
    paths = read(tmp_path, [*walk("a", since=0.0, seconds=9), *rows])
    assert notes(paths)[0].startswith("9 samples are left out, being at a time far from all others")
    assert paths["a"].times_s[-1] == 999.0


def test_a_device_that_is_nothing_but_a_stray_is_named(tmp_path: Path) -> None:
    paths = read(tmp_path, [(0.0, "z", 1.0, 1.0), *walk("a")])
    assert list(paths) == ["a"]
    assert notes(paths)[-1] == "devices of which no sample is left: 'z'"


def test_what_ordinary_traces_hold_is_no_stray(tmp_path: Path) -> None:
    # A late device of one sample; one that was away for hours; a night between two days.
    late = [*walk("a"), (EPOCH_S + 7_000, "b", 3.0, 3.0)]
    away = [*walk("a"), *walk("a", since=EPOCH_S + 20_000)]
    nights = [*walk("a"), *walk("a", since=EPOCH_S + 0.9 * DAY_S)]
    for rows in (late, away, nights, [(0.0, "a", 0.0, 0.0), (1e6, "a", 5.0, 0.0)]):
        paths = read(tmp_path, rows)
        assert sum(path.times_s.size for path in paths.values()) >= len(rows)
        assert not any("left out" in note for note in notes(paths))


def test_recordings_of_different_years_are_refused(tmp_path: Path) -> None:
    rows = [*walk("a"), *walk("b", since=EPOCH_S + 800 * DAY_S)]
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, rows)
    assert "no device has a sample for 2.2 years, between" in str(refused.value)
    assert "(2023-11-30)" in str(refused.value)
    later = f"{EPOCH_S + 800 * DAY_S:.0f}"
    assert str(refused.value).endswith(f"with time_origin: {later}")
    assert read(tmp_path, rows, time_origin=float(later))["b"].times_s[0] == 0.0


def test_days_of_silence_are_told(tmp_path: Path) -> None:
    paths = read(tmp_path, [*walk("a"), *walk("b", since=EPOCH_S + 5 * DAY_S)])
    assert notes(paths)[0].startswith(
        "no device has a sample for more than a day, 1 times; the longest silence is 5.0 days"
    )
    paths = read(tmp_path, walk("a"), time_origin="file")
    assert notes(paths) == ("the first sample is 53.9 years after the start of the run (time_or"
                            "igin)",)  # fmt: skip
    paths = read(tmp_path, walk("a"), time_origin=2e9)
    assert notes(paths) == ("all samples are before the start of the run (time_origin)",)


def degrees(rows: list[Row]) -> list[Row]:
    """A walk's metres to the north of 48° N 9° E, as latitude and longitude."""
    return [(at, name, 48.0 + x / 111_195.0, 9.0 + y / 74_000.0) for at, name, x, y in rows]


@pytest.mark.parametrize("at", [0, 60, 119])
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.0, 9.0), (57.0, 9.0)])
def test_a_stray_place_is_left_out_and_told(
    tmp_path: Path, at: int, place: tuple[float, float]
) -> None:
    pytest.importorskip("pyproj")
    rows = degrees([*walk("a"), *walk("b", y=20.0)])
    rows[at] = (*rows[at][:2], *place)
    paths = read(tmp_path, rows, "lat,lon")
    (note,) = notes(paths)
    assert note.startswith("1 sample is left out, being ")
    assert ("at 0, 0, far from all others" in note) == (place == (0.0, 0.0))
    assert paths["a"].times_s.size == 119
    assert paths["a"].jumps == 0
    # The plane's centre is not drawn away by what is left out.
    assert max(np.abs(path.y_m).max() for path in paths.values()) < 100.0


def test_far_places_in_metres(tmp_path: Path) -> None:
    rows = walk("a", x=500_000.0, y=5e6)
    rows[40] = (*rows[40][:2], 0.0, 0.0)
    paths = read(tmp_path, rows)
    assert notes(paths) == ("1 sample is left out, being at 0, 0, far from all others: of 'a'",)
    rows = walk("a")
    rows[40] = (*rows[40][:2], 1e6, 0.0)
    paths = read(tmp_path, rows)
    assert "too far from the device's others for 150 m/s, more than 100 km" in notes(paths)[0]
    # A teleport of some kilometres is a jump, as it says; so is one for good.
    rows[40] = (*rows[40][:2], 9_000.0, 0.0)
    assert (read(tmp_path, rows)["a"].jumps, notes(read(tmp_path, rows))) == (2, ())
    moved = [*walk("a", seconds=60), *walk("a", since=EPOCH_S + 60, seconds=60, x=1e6)]
    assert (read(tmp_path, moved)["a"].jumps, notes(read(tmp_path, moved))) == (1, ())


def test_devices_whose_times_are_broken(tmp_path: Path) -> None:
    squeezed = [(EPOCH_S + t * 2e-6, "x", 5.0 * t, 0.0) for t in range(184)]
    instant = [(float(EPOCH_S), "y", 5.0 * t, 0.0) for t in range(10)]
    leaps = [(EPOCH_S + t // 2, "b", 5000.0 * t, 0.0) for t in range(20)]
    paths = read(tmp_path, [*walk("a"), *squeezed, *instant, *leaps])
    # Steps that take no time, between others that do, are teleports.
    assert list(paths) == ["a", "b"]
    assert notes(paths)[:1] == (
        "devices left out because their times are broken (most steps are faster than 1000 m/s): "
        "'x', 'y'",
    )
    with pytest.raises(MobilityError, match=r"holds no usable samples: devices left out because"):
        read(tmp_path, squeezed)


def test_times_that_go_backwards_are_put_in_order_and_told(tmp_path: Path) -> None:
    rows = walk("a")
    rows[10], rows[11] = rows[11], rows[10]
    paths = read(tmp_path, rows)
    np.testing.assert_array_equal(paths["a"].x_m, np.arange(120.0))
    assert notes(paths) == (
        "samples earlier than the one before them in the file, put in order: 1",
    )
