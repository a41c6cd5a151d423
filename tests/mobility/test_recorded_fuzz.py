"""Whatever is in a file, the importers give finite paths or a MobilityError."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import Format, TraceReading, read_trace

odd = st.sampled_from(
    ["1e9", "-1e9", "1e-300", "1e12", "nan", "inf", "", "x", "9" * 400, "1_0", "-0"]
)
fine = st.integers(0, 9).map(str) | st.floats(-80, 80).map(str)
# Mostly fine, so that many files are usable and the paths themselves are tried.
numbers = st.integers(0, 19).flatmap(lambda chance: odd if chance == 0 else fine)
times_s = st.integers(0, 19).flatmap(lambda chance: odd if chance == 0 else st.integers(0, 9))
names = st.sampled_from(["0", "1", "a"])
csv_rows = st.builds(
    lambda header, rows: "\n".join([header, *(",".join(row) for row in rows)]),
    st.sampled_from(["time_s,device,x_m,y_m", "time_s,device,lat,lon"]),
    st.lists(st.tuples(times_s.map(str), names, numbers, numbers), max_size=6),
)
switches = st.sampled_from(["switch OFF", "switch ON", "switch on", "switch", "off", "start"])
ns2_lines = st.one_of(
    st.builds("$node_({}) set X_ {}".format, names, numbers),
    st.builds("$node_({}) set Y_ {}".format, names, numbers),
    st.builds('$ns_ at {} "$node_({}) setdest {} {} {}"'.format, times_s, names, *[numbers] * 3),
    st.builds('$ns_ at {} "$node_({}) set X_ {}"'.format, times_s, names, numbers),
    st.builds('$ns_ at {} "$node_({}) {}"'.format, times_s, names, switches),
    st.builds("$node_({}) {}".format, names, switches),
    st.sampled_from(["# c", "", "$god_ set-dist 1 2 3", "$node_(0) \u00a0", "set x 5", "$ns_ at"]),
)
scripts = st.lists(ns2_lines, max_size=12).map(
    lambda lines: "\n".join([f"$node_({n}) set {a}_ 1" for n in "01a" for a in "XY"] + lines)
)
fcd = st.lists(
    st.one_of(
        st.builds('</timestep><timestep time="{}">'.format, times_s),
        st.builds('<vehicle id="{}" x="{}" y="{}"/>'.format, names, numbers, numbers),
        st.sampled_from(["<lane/>", "<!-- -->", "text", "text", "&x;"]),
    ),
    max_size=8,
).map(lambda parts: f'<fcd-export><timestep time="4">{"".join(parts)}</timestep></fcd-export>')
odd_moments = st.sampled_from(
    ["0001-01-01T00:00:00+05:00", "1999", "", "9999-12-31T23:59:59-09:00", "2024-02-30T00:00:00Z"]
)
moments = st.integers(0, 19).flatmap(
    lambda chance: (
        odd_moments if chance == 0 else st.integers(10, 59).map("2024-05-01T08:00:{}Z".format)
    )
)
gpx = st.lists(
    st.one_of(
        st.builds(
            '<trkpt lat="{}" lon="{}"><time>{}</time></trkpt>'.format, numbers, numbers, moments
        ),
        st.sampled_from(
            ["</trkseg><trkseg>", "</trkseg></trk><trk><trkseg>", "<name>a</name>", "<ele>"]
        ),
    ),
    max_size=6,
).map(lambda parts: f"<gpx><trk><trkseg>{''.join(parts)}</trkseg></trk></gpx>")
readings = st.builds(
    TraceReading,
    time_origin=st.sampled_from(["earliest", "file", 3.0, -1e12]),
    max_gap_s=st.sampled_from([1e-3, 300.0, 1e12]),
    max_speed_m_s=st.sampled_from([1.0, 1000.0]),
)


def holds(text: str | bytes, format_: Format, how: TraceReading, folder: Path) -> bool:
    """Reads the text; the paths must be finite, and the refusal must name the file."""
    file = folder / "fuzz"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    reading = TraceReading(format_, how.time_origin, how.max_gap_s, how.max_speed_m_s)
    try:
        paths = read_trace(file, reading)
    except MobilityError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert all(_is_a_path(path, how) for path in paths.values())
    assert not refusal or re.fullmatch(rf"{re.escape(str(file))}(:\d+)?: \S.*", refusal)
    return not refusal


def _is_a_path(path: RecordedPath, how: TraceReading) -> bool:
    moments = np.array([0.0, 0.5, 3.0, 1e4, 1e13])
    travelled = path.travelled_m(moments)
    ends = np.array(path.presence_s).ravel()
    return bool(
        np.all(np.isfinite(path.position_m(moments)))
        and np.all(np.diff(travelled) >= 0.0)
        and travelled[0] == 0.0
        and not np.any(np.isnan(ends))
        and np.all(ends[1:] > ends[:-1])
        and np.all(np.isfinite(ends[:-1]))
        and 0.0 <= path.speed_limit_m_s <= how.max_speed_m_s * (1.0 + 1e-9)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "texts"),
    [("csv", csv_rows), ("ns2", scripts), ("sumo_fcd", fcd), ("gpx", gpx)],
    ids=["csv", "ns2", "sumo_fcd", "gpx"],
)
def test_nearly_right_files(format_: Format, texts: st.SearchStrategy[str], folder: Path) -> None:
    if format_ in ("csv", "gpx"):
        pytest.importorskip("gpxpy")
        pytest.importorskip("pyproj")

    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(texts, readings)
    def check(text: str, how: TraceReading) -> None:
        usable.append(holds(text, format_, how, folder))

    usable: list[bool] = []
    check()
    assert sum(usable) > 10
    assert not all(usable)


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["auto", "csv", "ns2", "sumo_fcd", "gpx"]),
)
def test_any_bytes(folder: Path, content: bytes, format_: Format) -> None:
    for beginning in (b"", b"time_s,device,x_m,y_m\n", b"<fcd-export>", b"<gpx>", b"$node_(0) "):
        holds(beginning + content, format_, TraceReading(), folder)
