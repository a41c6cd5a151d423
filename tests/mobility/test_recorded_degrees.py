"""GPX, and latitude and longitude: distances on the earth, and the missing packages."""

import sys
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.project import centre_of, to_metres
from cosim.mobility.recorded.read import TraceReading, read_trace

pyproj = pytest.importorskip("pyproj")
pytest.importorskip("gpxpy")

POINT = '<trkpt lat="{}" lon="{}"><ele>3</ele><time>{}</time></trkpt>\n'
TRACK = "<trk>{}<trkseg>\n{}</trkseg></trk>\n"
GPX = (
    '<?xml version="1.0"?>\n<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">\n{}</gpx>'
)


def gpx(*tracks: tuple[str | None, list[tuple[float, float, str]]]) -> str:
    return GPX.format(
        "".join(
            TRACK.format(f"<name>{n}</name>" if n else "", "".join(POINT.format(*p) for p in ps))
            for n, ps in tracks
        )
    )


def read(
    tmp_path: Path, text: str, name: str = "a.gpx", **options: object
) -> dict[str, RecordedPath]:
    (tmp_path / name).write_bytes(text.encode())
    return dict(read_trace(tmp_path / name, TraceReading(**options)))  # type: ignore[arg-type]


def test_tracks_are_devices_in_metres_and_seconds(tmp_path: Path) -> None:
    walk = [(48.0, 9.0, "2024-05-01T08:00:00Z"), (48.001, 9.0, "2024-05-01T10:01:40+02:00")]
    late = [(48.0, 9.001, "2024-05-01T08:00:10.500Z")]
    paths = read(tmp_path, gpx(("a  walk", walk), (None, late), ("a walk", late)))
    assert list(paths) == ["a walk", "track 2", "track 3"]
    one = paths["a walk"]
    assert one.times_s.tolist() == [0.0, 100.0]
    assert paths["track 2"].times_s.tolist() == [10.5]
    # A milli-degree of the meridian at 48° is 111.2 m (M(φ)·π/180, WGS 84).
    a, e2, phi = 6378137.0, 0.00669437999014, np.radians(48.0005)
    meridian = a * (1 - e2) / (1 - e2 * np.sin(phi) ** 2) ** 1.5 * np.radians(1e-3)
    assert one.travelled_m(100.0) == pytest.approx(meridian, rel=1e-6)
    assert one.position_m(100.0)[1] > one.position_m(0.0)[1]
    assert paths["track 2"].position_m(0.0)[0] > one.position_m(0.0)[0]


def test_segments_follow_each_other(tmp_path: Path) -> None:
    text = gpx(("a", [(48.0, 9.0, "2024-05-01T08:00:00Z"), (48.0, 9.0, "2024-05-01T09:00:00Z")]))
    split = text.replace("08:00:00Z</time></trkpt>\n", "08:00:00Z</time></trkpt></trkseg><trkseg>")
    assert read(tmp_path, split)["a"].times_s.tolist() == [0.0, 3600.0]


def test_distances_are_those_on_the_ellipsoid() -> None:
    rng = np.random.Generator(np.random.Philox(3))
    centre = (52.5, 13.4)
    places = np.array(centre) + rng.uniform(-0.05, 0.05, (200, 2))
    metres = to_metres(places, centre, Path("a"))
    exact = pyproj.Geod(ellps="WGS84").inv(
        np.full(200, 13.4), np.full(200, 52.5), places[:, 1], places[:, 0]
    )[2]
    np.testing.assert_allclose(np.hypot(*metres.T), exact, rtol=1e-8)
    between = pyproj.Geod(ellps="WGS84").inv(
        places[:-1, 1], places[:-1, 0], places[1:, 1], places[1:, 0]
    )[2]
    # Off the centre the projection stretches by (d/R)²/6 at most: 4e-7 at 10 km.
    np.testing.assert_allclose(np.hypot(*np.diff(metres, axis=0).T), between, rtol=1e-6)


def test_the_centre_is_the_mean_even_at_the_date_line(tmp_path: Path) -> None:
    assert centre_of(np.array([[1.0, 179.0], [3.0, -179.0]])) == (2.0, -180.0)
    assert centre_of(np.array([[1.0, 10.0], [3.0, 20.0]])) == (2.0, 15.0)
    text = "time_s,device,lat,lon\n0,a,10,179.999\n1,a,10,-179.999\n"
    path = read(tmp_path, text, "a.csv", max_speed_m_s=1000.0)["a"]
    assert path.travelled_m(1.0) == pytest.approx(219.3, abs=0.1)
    np.testing.assert_allclose(path.position_m(0.5), [0, 0], atol=1e-2)
    moved = read(tmp_path, text, "a.csv", centre_deg=(10.0, 179.999))["a"]
    np.testing.assert_allclose(moved.position_m(0.0), [0, 0], atol=1e-6)


def test_fcd_in_degrees(tmp_path: Path) -> None:
    text = (
        '<fcd-export><timestep time="0"><vehicle id="a" x="9.0" y="48.0"/></timestep>'
        '<timestep time="9"><vehicle id="a" x="9.0" y="48.001"/></timestep></fcd-export>'
    )
    path = read(tmp_path, text, "a.xml", degrees=True)["a"]
    assert path.travelled_m(9.0) == pytest.approx(111.19, abs=0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GPX.format("<trk><trkseg>\n<trkpt lat='1' lon='2'/></trkseg></trk>"), ":4: a track point"),
        (gpx(("a", [(48, 9, "yesterday")])), ":4: a track point has no time, or one that"),
        (gpx(("a", [(98, 9, "2024-05-01T08:00:00Z")])), ":4: the latitude is '98.0'"),
        (GPX.format("<wpt lat='1' lon='2'/>"), ": holds no samples"),
        (GPX.format("<trk><trkseg><trkpt lon='2'/></trkseg></trk>"), ": is not a usable GPX file"),
        ("<!DOCTYPE gpx>\n" + GPX[22:], ":1: has a DOCTYPE"),
        (GPX.format("<trk>"), ":3: is not well-formed XML: mismatched tag"),
    ],
)
def test_gpx_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, text, format="gpx")
    assert str(refused.value).removeprefix(f"{tmp_path}/a.gpx").startswith(said)


def test_missing_packages_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpxpy", None)
    monkeypatch.setitem(sys.modules, "pyproj", None)
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, gpx(("a", [])))
    assert str(refused.value) == (
        f"{tmp_path}/a.gpx: GPX files need the package gpxpy; install it with: "
        "pip install 'cosim[traces]'"
    )
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, "time_s,device,lat,lon\n0,a,1,1\n1,a,1,1\n", "a.csv")
    assert str(refused.value) == (
        f"{tmp_path}/a.csv: latitudes and longitudes need the package pyproj; install it with: "
        "pip install 'cosim[traces]'"
    )
