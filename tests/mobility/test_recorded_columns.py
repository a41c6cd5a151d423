"""Tables with other names, without names, with other separators; and points without a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace


def read(
    tmp_path: Path, text: str | bytes, name: str = "a.csv", **options: object
) -> dict[str, RecordedPath]:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    if isinstance(options.get("columns"), dict):
        options["columns"] = tuple(options["columns"].items())  # type: ignore[attr-defined]
    return dict(read_trace(tmp_path / name, TraceReading(**options)))  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: Any) -> str:
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, text, **options)
    return str(refused.value).removeprefix(f"{tmp_path}/a.csv:")


def test_columns_by_their_names_in_the_file(tmp_path: Path) -> None:
    text = "time,vehicle_id,x,y\n0,a,1,2\n2,a,5,2\n"
    columns = {"time_s": "time", "device": "vehicle_id", "x_m": "x", "y_m": "y"}
    path = read(tmp_path, text, columns=columns)["a"]
    assert path.position_m([0, 1, 2]).tolist() == [[1, 2], [3, 2], [5, 2]]
    # What is not mapped keeps its own name.
    text = "time,device,x_m,y_m\n0,a,1,2\n2,a,5,2\n"
    assert read(tmp_path, text, columns={"time_s": "time"})["a"].x_m.tolist() == [1, 5]


def test_the_scenario_decides_where_a_file_has_both(tmp_path: Path) -> None:
    pytest.importorskip("pyproj")
    text = "time_s,device,x_m,y_m,lat,lon\n0,a,1,2,48,9\n2,a,5,2,48.0001,9\n"
    assert read(tmp_path, text)["a"].travelled_m(2.0) == pytest.approx(11.12, abs=0.01)
    by_metres = read(tmp_path, text, columns={"x_m": "x_m", "y_m": "y_m"})
    assert by_metres["a"].travelled_m(2.0) == 4.0


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("time,id,latitude,longitude", "{time_s: time, device: id, lat: latitude, lon: longitude}"),
        ("time,vehicle_id,x,y", "{time_s: time, device: vehicle_id, x_m: x, y_m: y}"),
        ("Timestamp,Node ID,pos_x,pos_y", "{time_s: Timestamp, device: Node ID, x_m: pos_x, y_m"),
        ("time_s,id,x_m,y_m", "{device: id}"),
    ],
)
def test_obvious_names_are_suggested(tmp_path: Path, header: str, said: str) -> None:
    assert f"; perhaps columns: {said}" in refusal(tmp_path, f"{header}\n0,a,1,2\n")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    text = "time,device,x_m,y_m\n0,a,1,2\n"
    assert refusal(tmp_path, text, columns={"time_s": "tme"}) == (
        "1: has no column 'tme' (did you mean 'time'?), which columns.time_s names; its columns "
        "are time, device, x_m, y_m"
    )


def test_fields_by_position_and_one_device_a_file(tmp_path: Path) -> None:
    text = "  0.0   1.5\t-2\n# a comment\n\n 30.0\t4.5  -2 extra\n"
    columns = {"time_s": 0, "x_m": 1, "y_m": 2}
    paths = read(tmp_path, text, "walker_7.txt", columns=columns, separator="blanks")
    assert list(paths) == ["walker_7"]
    np.testing.assert_allclose(paths["walker_7"].position_m([0, 10]), [[1.5, -2], [2.5, -2]])
    rows = "a;1;0;5\nb;1;0;6\na;3;4;5\n"
    columns = {"device": 0, "time_s": 1, "x_m": 2, "y_m": 3}
    assert list(read(tmp_path, rows, columns=columns, separator=";")) == ["a", "b"]
    named = "time_s,x_m,y_m\n0,1,2\n1,2,2\n"
    assert list(read(tmp_path, named, "one.csv", columns={"device": None})) == ["one"]


def test_what_such_a_table_is_refused_for(tmp_path: Path) -> None:
    columns = {"time_s": 0, "x_m": 1, "y_m": 2}
    blanks = {"columns": columns, "separator": "blanks"}
    assert refusal(tmp_path, "0 1 2\n1 2\n", **blanks) == "2: has 2 fields, 3 are needed"
    assert refusal(tmp_path, "t x y\n0 1 2\n", **blanks).startswith("1: time_s (0) is 't'; expecte")
    fewer = {"columns": {"time_s": 0, "x_m": 1}, "separator": "blanks"}
    assert "the first row must name the columns" in refusal(tmp_path, "0 1 2\n", **fewer)
    xml = "<gpx></gpx>"
    assert "columns and separator are for csv" in refusal(tmp_path, xml, format="gpx", **blanks)


def test_rows_without_a_time(tmp_path: Path) -> None:
    text = "time_s,device,x_m,y_m\n0,a,1,2\n,a,9,9\n2,a,5,2\n"
    assert refusal(tmp_path, text).startswith("3: time_s is ''")
    path = read(tmp_path, text, untimed="skip")["a"]
    assert path.x_m.tolist() == [1, 5]
    assert path.recording is not None
    assert path.recording.notes == ("samples without a time that are left out (untimed: skip): 1",)
    assert "untimed: skip is for gpx and csv" in refusal(
        tmp_path, "<fcd-export/>", format="sumo_fcd", untimed="skip"
    )


POINT = '<trkpt lat="48.00{}" lon="9"><time>2024-05-01T08:00:{}Z</time></trkpt>'


def gpx(encoding: str, name: str = "über") -> str:
    points = POINT.format("00", "00") + '<trkpt lat="48" lon="9"/>' + POINT.format("01", "50")
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<gpx version="1.1"><trk><name>{name}</name>'
        f"<trkseg>{points}</trkseg></trk><trk><trkseg><trkpt lat='48' lon='9'/></trkseg></trk>"
        "</gpx>"
    )


def test_points_without_a_time(tmp_path: Path) -> None:
    pytest.importorskip("gpxpy")
    pytest.importorskip("pyproj")
    text = gpx("utf-8")
    assert "has no time, or one that cannot be read; untimed: skip leaves such points out" in (
        refusal(tmp_path, text)
    )
    paths = read(tmp_path, text, untimed="skip")
    assert list(paths) == ["über"]
    assert paths["über"].times_s.tolist() == [0.0, 50.0]
    recording = paths["über"].recording
    assert recording is not None
    assert recording.notes == ("samples without a time that are left out (untimed: skip): 2",)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "windows-1252", "UTF-16", "utf-8", "UTF-16BE"])
def test_gpx_in_the_encoding_that_it_declares(tmp_path: Path, encoding: str) -> None:
    pytest.importorskip("gpxpy")
    pytest.importorskip("pyproj")
    paths = read(tmp_path, gpx(encoding).encode(encoding), "a.gpx", untimed="skip")
    assert list(paths) == ["über"]


def test_gpx_that_is_not_what_it_declares(tmp_path: Path) -> None:
    pytest.importorskip("gpxpy")
    with pytest.raises(MobilityError, match=r"a\.gpx:2: is not well-formed XML"):
        read(tmp_path, gpx("utf-8").encode("latin-1"), "a.gpx")
