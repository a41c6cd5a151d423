"""What becomes of messy recordings: gaps, repeated times, joins, leaves, origins, refusals."""

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace
from cosim.mobility.recorded.samples import to_path


def _path(
    *rows: tuple[float, float, float], gap: float = 10.0, fast: float = 100.0
) -> RecordedPath:
    samples = np.array(rows, dtype=float)
    return to_path("a", samples, ((0.0, np.inf),), max_gap_s=gap, max_speed_m_s=fast)


def _read(tmp_path: Path, text: str, **options: object) -> dict[str, RecordedPath]:
    file = tmp_path / "a.csv"
    file.write_text("time_s,device,x_m,y_m\n" + text, encoding="utf-8")
    return dict(read_trace(file, TraceReading(**options)))  # type: ignore[arg-type]


def test_a_gap_is_walked_up_to_the_limit_and_jumped_beyond() -> None:
    walked = _path((0, 0, 0), (10, 5, 0))
    np.testing.assert_allclose(walked.position_m(5.0), [2.5, 0])
    jumped = _path((0, 0, 0), (10.5, 5, 0), (12, 6, 0))
    np.testing.assert_allclose(
        jumped.position_m(np.array([10.4, 10.5, 11.25])), np.array([[0, 0], [5, 0], [5.5, 0]])
    )
    assert (jumped.jumps, float(jumped.travelled_m(99.0))) == (1, 1.0)
    assert _path((0, 1, 1), (99, 1, 1)).jumps == 0


def test_what_is_too_fast_is_a_teleport() -> None:
    path = _path((0, 0, 0), (1, 500, 0), (2, 510, 0))
    np.testing.assert_allclose(path.position_m([0.9, 1.0, 1.5]), [[0, 0], [500, 0], [505, 0]])
    assert path.speed_limit_m_s == 10.0


def test_of_repeated_times_the_later_row_wins() -> None:
    same = _path((0, 0, 0), (1, 2, 0), (1, 2, 0), (2, 4, 0))
    assert same.jumps == 0
    assert len(same.times_s) == 3
    other = _path((0, 0, 0), (1, 2, 0), (1, 7, 7), (1, 9, 9), (2, 9, 8))
    np.testing.assert_allclose(
        other.position_m(np.array([0.5, 1.0, 1.5])), np.array([[1, 0], [9, 9], [9, 8.5]])
    )
    assert (other.jumps, float(other.travelled_m(5.0))) == (1, 3.0)


def test_rows_may_come_in_any_order() -> None:
    assert _path((2, 4, 0), (0, 0, 0), (1, 2, 0)).position_m(0.5).tolist() == [1.0, 0.0]


def test_late_and_early_devices_stay_at_their_ends(tmp_path: Path) -> None:
    paths = _read(tmp_path, "100,a,0,0\n110,a,10,0\n103,b,5,5\n104,b,6,5\n")
    assert list(paths) == ["a", "b"]
    np.testing.assert_allclose(paths["b"].position_m([0, 3, 3.5, 4, 50]).T[0], [5, 5, 5.5, 6, 6])


def test_the_clock_starts_where_it_is_told(tmp_path: Path) -> None:
    text = "100,a,0,0\n110,a,10,0\n90,b,0,0\n"
    for origin, x_m in (("earliest", 0.0), ("file", 0.0), (105.0, 5.0), (80.0, 0.0)):
        path = _read(tmp_path, text, time_origin=origin)["a"]
        assert path.position_m(0.0)[0] == x_m, origin
    assert _read(tmp_path, text)["a"].times_s.tolist() == [10.0, 20.0]
    assert _read(tmp_path, text, time_origin="file")["a"].times_s.tolist() == [100.0, 110.0]


def test_places_can_be_shifted(tmp_path: Path) -> None:
    path = _read(tmp_path, "0,a,1,2\n1,a,3,4\n", offset_m=(-1.0, 10.0))["a"]
    np.testing.assert_allclose(path.position_m([0, 1]), [[0, 12], [2, 14]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no samples: no device has a time and a place in it"),
        ("0,a,1,1\n", "holds one sample only; a movement needs two or more"),
        ("7,a,1,1\n7,b,2,2\n", "holds one instant only, 7 s; a movement needs two or more"),
    ],
)
def test_too_little_to_move_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MobilityError) as refused:
        _read(tmp_path, text)
    assert str(refused.value) == f"{tmp_path}/a.csv: {said}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"centre_deg": (48.0, 9.0)}, "is in metres; centre_deg is for latitudes and longitudes"),
        ({"degrees": True}, "is csv; degrees is for sumo_fcd, whose files do not tell"),
    ],
)
def test_options_of_other_formats_are_refused(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(MobilityError, match=said):
        _read(tmp_path, "0,a,1,1\n1,a,1,1\n", **options)


def test_formats_are_told_by_what_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "trace.dat"
    for text, problem in (
        ("<gpx>", "not well-formed"),
        ("\ufeff<?xml version='1.0'?>\n<!-- made by --><fcd-export>", "not well-formed"),
        ("# nodes: 2\n$node_(0) set X_ oops\n", "X_ is 'oops'"),
        ("# a table\n\ntime_s,device,x_m\n", "the first row must name"),
        ("<kmz></kmz>", "the format cannot be told; name it with format: ns2, sumo_fcd, gpx or"),
        ("", "the format cannot be told"),
        ("hello", "the format cannot be told"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(MobilityError, match=problem):
            read_trace(file)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(MobilityError, match=r"gone\.csv: cannot be read: no such file"):
        read_trace(tmp_path / "gone.csv")
    with pytest.raises(MobilityError, match="cannot be read: is a directory"):
        read_trace(tmp_path, TraceReading(format="sumo_fcd"))
    packed = tmp_path / "fcd.xml.gz"
    packed.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(MobilityError, match="is compressed; unpack it first"):
        read_trace(packed)
