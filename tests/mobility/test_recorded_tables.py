"""CSV and SUMO FCD: what is read, in what time, and what is refused with its line."""

import time
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace

FCD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<fcd-export xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <timestep time="10.00">
    <vehicle id="car &amp; co" x="-5.0" y="1" angle="90" type="t" speed="1" lane="e_0"/>
    <person id="p" x="0" y="0" speed="1"/>
  </timestep>
  <timestep time="12.00">
    <vehicle id="car &amp; co" x="5.0" y="1"/>
    <vehicle id="late" x="7" y="8"/>
  </timestep>
</fcd-export>
"""


def read(tmp_path: Path, text: str, **options: object) -> dict[str, RecordedPath]:
    file = tmp_path / "a.trace"
    file.write_bytes(text.encode())
    return dict(read_trace(file, TraceReading(**options)))  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, text, **options)
    return str(refused.value).removeprefix(f"{tmp_path}/a.trace")


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    paths = read(
        tmp_path,
        "\ufeff# a comment\r\ny_m, device ,time_s,note,x_m\r\n\r\n1,a,0,,-2\r\n"
        '# another\r\n 3 , "a", 2 ,"x,y",0e0\r\n5,"b, c",1,,5\r\n',
    )
    assert list(paths) == ["a", "b, c"]
    np.testing.assert_allclose(paths["a"].position_m([0, 1, 2]), [[-2, 1], [-1, 2], [0, 3]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_m,y_m,device\n1,2,a\n", ":1: has no times: the column time_s is missing"),
        (
            "time,x,y\n",
            ":1: the first row must name the columns time_s, device, x_m, y_m or time_s, device, "
            "lat, lon",
        ),
        ("time_s,device,x_m,y_m\n\n0,a,1\n", ":3: has 3 fields, the header 4"),
        ("time_s,device,x_m,y_m\n0, ,1,2\n", ":2: the device is missing"),
        (
            "time_s,device,x_m,y_m\n0,a,1,2\n# c\n1,a,one,2\n",
            ":4: x_m is 'one'; expected a number of at most ±1e+09",
        ),
        ("time_s,device,x_m,y_m\n0,a,1_0,2\n", ":2: x_m is '1_0'; expected a number of at mo"),
        ("time_s,device,x_m,y_m\ninf,a,1,2\n", ":2: time_s is 'inf'; expected a number"),
        ('time_s,device,x_m,y_m\n0,"a,1,2\n', ":2: is not CSV: unexpected end of data"),
        ("time_s,device,lat,lon\n0,a,91,2\n", ":2: the latitude is '91'; expected a number of "),
        ("time_s,device,lat,lon\n0,a,9,-181\n", ":2: the longitude is -181; expected −180 to 3"),
    ],
)
def test_csv_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text, format="csv").startswith(said)


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"time_s,device,x_m,y_m\n0,\xfcber,1,2\n")
    with pytest.raises(MobilityError, match=r"a\.csv:2: is not UTF-8 text; save it as UTF-8"):
        read_trace(tmp_path / "a.csv")


def test_fcd(tmp_path: Path) -> None:
    paths = read(tmp_path, FCD)
    assert list(paths) == ["car & co", "p", "late"]
    np.testing.assert_allclose(paths["car & co"].position_m([0, 1, 2]), [[-5, 1], [0, 1], [5, 1]])
    assert paths["late"].position_m(0.0).tolist() == [7, 8]
    assert read(tmp_path, FCD.replace("\n", "\r\n")).keys() == paths.keys()


BOMB = """<?xml version="1.0"?>
<!DOCTYPE fcd-export [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<fcd-export><timestep time="&b;"/></fcd-export>
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, ":2: has a DOCTYPE, which a trace must not have"),
        (
            '<!DOCTYPE fcd-export SYSTEM "file:///etc/passwd"><fcd-export/>',
            ":1: has a DOCTYPE, which a trace must not have",
        ),
        (FCD[:200], ":5: is not well-formed XML: unclosed token"),
        ("<fcd-export>\n</timestep>", ":2: is not well-formed XML: mismatched tag"),
        ("<routes>\n</routes>", ":1: the root is <routes>, expected <fcd-export>"),
        (FCD.replace('time="12.00"', ""), ":8: time is missing; expected a number of at most"),
        (FCD.replace('x="7"', 'x="seven"'), ":10: x is 'seven'; expected a number of at most"),
        (FCD.replace('y="8"', ""), ":10: y is missing; expected a number of at most"),
        (FCD.replace('id="late"', ""), ":10: <vehicle> has no id"),
        (FCD.replace('id="late"', 'id="p"'), ":10: 'p' names a person and a vehicle"),
        (
            '<fcd-export>\n<vehicle id="a" x="1" y="2"/></fcd-export>',
            ":2: <vehicle> is outside a timestep",
        ),
        ("<fcd-export/>", ": holds no samples: no device has a time and a place in it"),
        ('<?xml version="1.0" encoding="klingon"?><fcd-export/>', ": cannot be read as XML: unkn"),
    ],
)
def test_fcd_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text, format="sumo_fcd").startswith(said)


def test_a_large_recording_is_read_in_seconds(tmp_path: Path) -> None:
    # 250,000 rows take 1.3 s on a slow core; a fifth of them, in far less than the limit here.
    steps = (
        f'<timestep time="{t}.00">\n'
        + "".join(
            f'<vehicle id="veh{v}" x="{v + t * 1.5:.2f}" y="{v * 2:.2f}" angle="90.00" '
            f'type="DEFAULT_VEHTYPE" speed="13.89" pos="5.10" lane="e_0" slope="0.00"/>\n'
            for v in range(250)
        )
        + "</timestep>\n"
        for t in range(200)
    )
    text = f"<fcd-export>\n{''.join(steps)}</fcd-export>"
    start = time.process_time()
    paths = read(tmp_path, text)
    assert time.process_time() - start < 10.0
    assert len(paths) == 250
    assert paths["veh249"].travelled_m(199.0) == pytest.approx(199 * 1.5)
