"""ns-2 movement scripts as they come, and what is refused with its line."""

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace

START = "$node_(0) set X_ -10\n$node_(0) set Y_ 5.5e0\n$node_(0) set Z_ 0\n"


def read(tmp_path: Path, text: str, **options: object) -> dict[str, RecordedPath]:
    file = tmp_path / "a.ns2"
    file.write_bytes(text.encode())
    return dict(read_trace(file, TraceReading(format="ns2", **options)))  # type: ignore[arg-type]


def node(tmp_path: Path, commands: str) -> RecordedPath:
    return read(tmp_path, START + commands)["0"]


def test_a_node_walks_arrives_and_stays(tmp_path: Path) -> None:
    path = node(tmp_path, '$ns_ at 2.0 "$node_(0) setdest -10 -4.5 2.0"\n')
    times = [0.0, 2.0, 4.5, 7.0, 1e6]
    np.testing.assert_allclose(
        path.position_m(times), [[-10, 5.5], [-10, 5.5], [-10, 0.5], [-10, -4.5], [-10, -4.5]]
    )
    np.testing.assert_allclose(path.travelled_m(times), [0, 0, 5, 10, 10])


def test_a_new_destination_on_the_way_turns_from_there(tmp_path: Path) -> None:
    path = node(
        tmp_path,
        '$ns_ at 0.0 "$node_(0) setdest 90 5.5 10"\n$ns_ at 4.0 "$node_(0) setdest 30 25.5 1"\n',
    )
    assert path.position_m([4.0, 14.0, 24.0]).tolist() == [[30, 5.5], [30, 15.5], [30, 25.5]]
    assert path.speed_limit_m_s == 10.0


def test_speed_zero_stops_and_a_place_teleports(tmp_path: Path) -> None:
    stopped = node(
        tmp_path,
        '$ns_ at 0 "$node_(0) setdest 90 5.5 10"\n$ns_ at 1 "$node_(0) setdest 0 0 0.0"\n',
    )
    assert stopped.position_m([1.0, 99.0]).tolist() == [[0, 5.5], [0, 5.5]]
    for command in ("set X_ 40", "setdest 40 5.5 inf", "setdest 40 5.5 1e200"):
        path = node(
            tmp_path,
            f'$ns_ at 0 "$node_(0) setdest 90 5.5 10"\n$ns_ at 1 "$node_(0) {command}"\n',
        )
        assert path.position_m([0.5, 1.0, 9.0]).tolist() == [[-5, 5.5], [40, 5.5], [40, 5.5]]
        assert (path.jumps, float(path.travelled_m(9.0))) == (1, 10.0)


def test_commands_are_carried_out_in_the_order_of_their_times(tmp_path: Path) -> None:
    text = '$ns_ at 9 "$node_(0) setdest 0 5.5 1"\n$ns_ at 3 "$node_(0) setdest -10 6.5 1"\n'
    path = read(tmp_path, text + START)["0"]
    assert path.position_m([4.0, 9.0]).tolist() == [[-10, 6.5], [-10, 6.5]]


def test_a_long_pause_is_no_gap(tmp_path: Path) -> None:
    path = node(tmp_path, '$ns_ at 5000 "$node_(0) setdest 990 5.5 1"\n')
    assert path.position_m(5500.0)[0] == 490.0
    assert path.jumps == 0


NOISE = """\
# a comment, then all that other programs write\r
set opt(x) 500 ;# Tcl of the generator\r
set god_ [God instance]\r
$god_ set-dist 0 1 2\r
$ns_ at 1.5 "$god_ set-dist 0 1 1"\r
\r
$node_(0) set X_ 1.0 ;# its place\r
$node_(0) set Y_ 2.0\r
$node_(0) set Z_ 0.0\r
$node_(0) random-motion 0\r
$node_(1) set X_ 3.0\r
$node_(1) set Y_ 4.0\r
$ns_ initial_node_pos $node_(0) 20\r
$ns_ at 0.5 "$node_(0) switch ON"\r
$ns_ at 1.0 "$node_(0) setdest 1.0 12.0 1.0";\r
$ns_ at 2.0 "$node_(0) switch OFF"\r
$ns at 2.5 {$node_(0) setdest 1.0 2.0 1.0}\r
$ns_ at 3.0 "$node_(1) set Z_ 7"\r
"""


def test_what_is_no_movement_is_ignored(tmp_path: Path) -> None:
    paths = read(tmp_path, NOISE)
    assert list(paths) == ["0", "1"]
    assert paths["0"].position_m([1.0, 2.5, 4.0]).tolist() == [[1, 2], [1, 3.5], [1, 2]]
    assert not paths["1"].moves


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('$ns_ at 1 "$node_(0) setdest 1 2"', "'setdest 1 2' is not understood"),
        ('$ns_ at 1 "$node_(0) setdest 1 2 three"', "the speed is 'three'"),
        ('$ns_ at 1 "$node_(0) setdest 1 nan 3"', "the destination is 'nan'"),
        ('$ns_ at 1 "$node_(0) setdest 1 2 -3"', "the speed -3 m/s is negative"),
        ('$ns_ at soon "$node_(0) setdest 1 2 3"', "the time is 'soon'"),
        ('$ns_ at -1 "$node_(0) setdest 1 2 3"', "the time -1 s is before the start"),
        ('$ns_ at 1 "$node_(8) setdest 1 2 3"', "node 8 moves, but its start"),
        ("$node_(0) set X_ 1e10", r"X_ is '1e10'; expected a number of at most ±1e\+09"),
        ("$node_($i) set X_ 1", "is not understood"),
        ("for {set i 0} {$i < 5} {incr i} {", "is not understood"),
        ('$ns_ at 1 "finish"', "is not understood"),
        ("$node_(0) fly away", "'.*fly away' is not understood; expected setdest, set X_"),
    ],
)
def test_the_rest_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(MobilityError, match=rf"a\.ns2:4: .*{said}"):
        read(tmp_path, START + line + '\n$ns_ at 2 "$node_(0) setdest 1 2 3"\n')


def test_a_script_without_times_says_so(tmp_path: Path) -> None:
    with pytest.raises(MobilityError, match="has no times: no node ever moves"):
        read(tmp_path, START)
    with pytest.raises(MobilityError, match="holds no samples"):
        read(tmp_path, "# nothing\n")
