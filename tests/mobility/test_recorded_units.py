"""Degrees that are called metres, and metres that are called degrees."""

from pathlib import Path

import numpy as np
import pytest

from cosim.errors import MobilityError
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.read import TraceReading, read_trace

HEAD = '<!-- made by SUMO\n<configuration><output><fcd-output.geo value="{}"/></output>-->\n'


def fcd(
    head: str = "", *, x: float = 11.34, y: float = 44.5, step: float = 1e-4, speed: str = "8.00"
) -> str:
    """Two cars that go east, 100 steps of 1e-4 degrees (8 m at this latitude) or of `step`."""
    rows = (
        f'<timestep time="{t}">'
        + "".join(
            f'<vehicle id="{name}" x="{x + step * t:.7f}" y="{y + off:.7f}"'
            + (f' speed="{speed}"' if speed else "")
            + "/>"
            for name, off in (("a", 0.0), ("b", 2e-4))
        )
        + "</timestep>\n"
        for t in range(100)
    )
    return f"{head}<fcd-export>\n{''.join(rows)}</fcd-export>\n"


def read(tmp_path: Path, text: str, **options: object) -> dict[str, RecordedPath]:
    (tmp_path / "a.trace").write_text(text, encoding="utf-8")
    return dict(read_trace(tmp_path / "a.trace", TraceReading(**options)))  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(MobilityError) as refused:
        read(tmp_path, text, **options)
    return str(refused.value).removeprefix(f"{tmp_path}/a.trace: ")


@pytest.mark.parametrize("value", ["true", "1", "yes"])
def test_sumo_s_head_says_that_places_are_degrees(tmp_path: Path, value: str) -> None:
    pytest.importorskip("pyproj")
    paths = read(tmp_path, fcd(HEAD.format(value)))
    apart = paths["a"].position_m(0.0) - paths["b"].position_m(0.0)
    # 2e-4 degrees of the meridian at 44.5° are 22.2 m (M(φ)·π/180, WGS 84).
    assert np.hypot(*apart) == pytest.approx(22.22, abs=0.01)
    said = read(tmp_path, fcd(), degrees=True)
    np.testing.assert_array_equal(said["a"].x_m, paths["a"].x_m)


def test_a_head_that_says_the_opposite_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, fcd(HEAD.format("true")), degrees=False) == (
        "its head says fcd-output.geo true, and the scenario degrees: false; leave degrees out, or "
        "say degrees: true"
    )
    text = fcd(HEAD.format("false"), x=0.0, y=0.0, step=8.0)
    assert "say degrees: false" in refusal(tmp_path, text, degrees=True)
    assert read(tmp_path, text)["a"].travelled_m(99.0) == pytest.approx(792.0)


@pytest.mark.parametrize("speed", ["8.00", ""])
def test_degrees_without_a_word_are_refused(tmp_path: Path, speed: str) -> None:
    said = refusal(tmp_path, fcd(speed=speed))
    assert said.startswith("its places look like degrees: every x is within ±180, every y within ±")
    assert "say degrees: true (SUMO's --fcd-output.geo), or say degrees: false" in said
    if speed:
        # 2 cars, 99 steps of 8 m/s.
        assert "all go 0.0198 m, where the file's speeds say 1584 m" in said
    assert read(tmp_path, fcd(speed=speed), degrees=False)["a"].travelled_m(99.0) < 0.01


def test_metres_near_the_origin_are_metres(tmp_path: Path) -> None:
    # Within ±90 m, at 0.8 m/s as the file says; in a traffic jam; and without speeds.
    for step, speed in ((0.8, "0.8"), (0.0, "0.0"), (0.8, ""), (0.01, "0.01")):
        assert len(read(tmp_path, fcd(x=0.0, y=0.0, step=step, speed=speed))) == 2
    # A speed that is no number is nobody's.
    assert len(read(tmp_path, fcd(x=0.0, y=0.0, step=0.8, speed="fast"))) == 2


@pytest.mark.parametrize("speed", ["8.00", ""])
def test_metres_said_to_be_degrees_are_refused(tmp_path: Path, speed: str) -> None:
    text = fcd(x=0.0, y=0.0, step=0.8, speed=speed)
    said = refusal(tmp_path, text, degrees=True)
    assert said.startswith("its places look like metres: taken for degrees")
    assert said.endswith("; leave degrees: true out")


def table(columns: str, *, x: float, y: float, step: float) -> str:
    rows = (f"{t},{name},{x + step * t:.6f},{y:.6f}" for name in "ab" for t in range(5))
    return "\n".join([f"time_s,device,{columns}", *rows])


def test_tables(tmp_path: Path) -> None:
    said = refusal(tmp_path, table("x_m,y_m", x=11.34, y=44.5, step=1e-5))
    assert "who moves does so at 1e-05 m/s (median); call the columns lon and lat" in said
    standing = table("x_m,y_m", x=11.34, y=44.5, step=0.0).replace("b,11.34", "b,11.35")
    assert "all stand within 0.01 m, far off the origin" in refusal(tmp_path, standing)
    assert len(read(tmp_path, standing, degrees=False)) == 2
    assert len(read(tmp_path, table("x_m,y_m", x=11.34, y=44.5, step=0.5))) == 2
    assert len(read(tmp_path, table("x_m,y_m", x=0.0, y=0.0, step=0.0))) == 2
    said = refusal(tmp_path, table("lon,lat", x=10.0, y=40.0, step=1.5))
    assert said.startswith("its places look like metres: taken for degrees, who moves does so at ")
    assert "call the columns x_m and y_m" in said


def test_scripts(tmp_path: Path) -> None:
    def script(step: float, x: float = 11.34, every: int = 1) -> str:
        moves = (
            f'$ns_ at {every * t} "$g(0) setdest {x + step * (t + 1):.6f} 44.5 8.0"\n'
            for t in range(20)
        )
        return f"$g(0) set X_ {x}\n$g(0) set Y_ 44.5\n{''.join(moves)}"

    said = refusal(tmp_path, script(1e-4), format="ns2")
    assert "all go 0.0019 m, where the file's speeds say 152 m" in said
    assert len(read(tmp_path, script(8.0), format="ns2")) == 1
    # Who walks 2 m and rests for an hour moves slower, on average, and in metres.
    assert len(read(tmp_path, script(2.0, every=3600), format="ns2")) == 1
