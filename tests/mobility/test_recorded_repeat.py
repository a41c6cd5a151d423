"""Recorded paths over and over, and the spells of devices whose file ends."""

import math
from itertools import islice

import numpy as np
import pytest

from cosim.mobility.availability import ended, repeated
from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.recorded.repeat import RepeatedPath


def test_a_path_begins_again_and_goes_on_counting() -> None:
    once = RecordedPath("a", np.array([0.0, 4.0]), np.array([0.0, 8.0]), np.array([1.0, 1.0]))
    path = RepeatedPath(once, 10.0)
    times = [0.0, 2.0, 4.0, 9.9, 10.0, 12.0, 20.0, 21.0]
    assert path.position_m(times)[:, 0].tolist() == [0, 4, 8, 8, 0, 4, 0, 2]
    assert path.travelled_m(times).tolist() == [0, 4, 8, 8, 8, 12, 16, 18]
    assert path.speed_limit_m_s == once.speed_limit_m_s == 2.0
    assert path.position_m(3.0).shape == (2,)
    assert isinstance(path.travelled_m(3.0), float)
    with pytest.raises(ValueError, match="the period must be positive"):
        RepeatedPath(once, 0.0)
    with pytest.raises(ValueError, match="times"):
        path.position_m(-1.0)


def test_jumps_are_those_of_the_file_and_of_its_seam() -> None:
    once = RecordedPath(
        "a", np.array([-1.0, 0.0, 2.0, 2.0, 4.0]), *np.array([[9, 0, 0, 5, 5], [1, 1, 1, 1, 1.0]])
    )
    assert once.jumps == 1
    assert once.jumps_s(0.0, math.inf).tolist() == [2.0]
    assert once.jumps_s(2.0, 3.0).tolist() == once.jumps_s(0.0, 2.0).tolist() == []
    path = RepeatedPath(once, 4.0)
    assert path.jumps_s(0.0, 13.0).tolist() == [2, 4, 6, 8, 10, 12]
    assert path.jumps_s(3.0, 3.9).tolist() == []
    assert path.jumps_s(4.0, 8.0).tolist() == [6.0]
    for at_s in path.jumps_s(0.0, 13.0):
        before, at = path.position_m([np.nextafter(at_s, 0.0), at_s])
        assert abs(before - at)[0] == 5.0
    # A way that ends where it began has no seam, and one that ends in a jump has no other.
    loop = RecordedPath("b", np.array([0.0, 1.0, 2.0]), *np.array([[0.0, 3.0, 0.0]] * 2))
    assert RepeatedPath(loop, 2.0).jumps_s(0.0, 9.0).tolist() == []
    back = RecordedPath("c", np.array([0.0, 2.0, 2.0]), *np.array([[0.0, 3.0, 0.0]] * 2))
    assert RepeatedPath(back, 2.0).jumps_s(0.0, 7.0).tolist() == [2.0, 4.0, 6.0]


def test_what_is_travelled_never_shrinks() -> None:
    random = np.random.Generator(np.random.Philox(8))
    times = np.cumsum(random.uniform(0.1, 1.0, 30))
    once = RecordedPath("a", times, *random.normal(size=(2, 30)))
    path = RepeatedPath(once, float(times[-1]))
    travelled = path.travelled_m(np.linspace(0.0, 10 * times[-1], 100_001))
    assert np.all(np.diff(travelled) >= 0.0)


@pytest.mark.parametrize(
    ("spells", "kept"),
    [
        (None, [(0.0, 7.0)]),
        ([(0.0, math.inf)], [(0.0, 7.0)]),
        ([(1.0, 2.0), (5.0, 9.0), (11.0, 12.0)], [(1.0, 2.0), (5.0, 7.0)]),
        ([(7.0, 9.0)], []),
        ([], []),
    ],
)
def test_spells_end_with_the_file(
    spells: list[tuple[float, float]] | None, kept: list[tuple[float, float]]
) -> None:
    assert list(ended(spells, 7.0)) == kept


@pytest.mark.parametrize(
    ("spells", "first"),
    [
        (((0.0, 10.0),), [(0.0, math.inf)]),
        (((-3.0, math.inf),), [(0.0, math.inf)]),
        (((2.0, 4.0),), [(2.0, 4.0), (12.0, 14.0), (22.0, 24.0)]),
        (((-1.0, 4.0), (8.0, 11.0)), [(0.0, 4.0), (8.0, 14.0), (18.0, 24.0)]),
        (((3.0, 4.0), (8.0, 10.0)), [(3.0, 4.0), (8.0, 10.0), (13.0, 14.0)]),
        (((12.0, 14.0),), []),
        ((), []),
    ],
)
def test_spells_over_and_over(
    spells: tuple[tuple[float, float], ...], first: list[tuple[float, float]]
) -> None:
    assert list(islice(repeated(spells, 10.0), 3)) == first
