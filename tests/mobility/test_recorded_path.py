"""Recorded paths: exact between samples, at jumps, and outside the recording."""

import numpy as np
import pytest

from cosim.mobility.recorded.path import RecordedPath
from cosim.mobility.trajectory import Trajectory


def _path(*rows: tuple[float, float, float]) -> RecordedPath:
    return RecordedPath("a", *np.array(rows, dtype=float).T)


def _at_rest(spells: tuple[tuple[float, float], ...]) -> RecordedPath:
    times_s, x_m, y_m = np.zeros((3, 1))
    return RecordedPath("a", times_s, x_m, y_m, spells)


def test_a_jump_takes_no_time_and_is_not_travelled() -> None:
    path = _path((1, 0, 0), (3, 3, 4), (3, 10, 10), (5, 10, 12))
    times = np.array([0.0, 1.0, 2.0, 2.999999, 3.0, 4.0, 5.0, 99.0])
    np.testing.assert_allclose(
        path.position_m(times),
        np.array([[0, 0], [0, 0], [1.5, 2], [3, 4], [10, 10], [10, 11], [10, 12], [10, 12]]),
        atol=1e-5,
    )
    np.testing.assert_array_equal(path.position_m(3.0), [10, 10])
    np.testing.assert_allclose(path.travelled_m(times), [0, 0, 2.5, 5, 5, 6, 7, 7], atol=1e-5)
    assert (path.speed_limit_m_s, path.jumps, path.moves) == (2.5, 1, True)


def test_what_lies_before_zero_is_not_travelled() -> None:
    path = _path((-2, 0, 0), (2, 4, 0))
    np.testing.assert_allclose(path.position_m([0.0, 1.0]), [[2, 0], [3, 0]])
    np.testing.assert_allclose(path.travelled_m([0.0, 1.0, 9.0]), [0, 1, 2])
    over = _path((-3, 1, 1), (-2, 5, 5))
    np.testing.assert_allclose(over.position_m([0.0, 7.0]), [[5, 5]] * 2)
    assert over.travelled_m(7.0) == 0.0


@pytest.mark.parametrize("path", [_path((0, 1, 2)), _path((0, 1, 2), (0, 3, 4)), _path((9, 1, 2))])
def test_shapes_and_a_single_instant(path: Trajectory) -> None:
    assert path.position_m(1.0).shape == (2,)
    assert isinstance(path.travelled_m(1.0), float)
    assert path.position_m(np.zeros((3, 4))).shape == (3, 4, 2)
    assert path.position_m([]).shape == (0, 2)
    assert path.speed_limit_m_s == 0.0
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="times"):
            path.travelled_m(bad)


def test_the_path_is_the_integral_of_its_speed() -> None:
    rng = np.random.Generator(np.random.Philox(5))
    rows = np.column_stack([np.cumsum(rng.uniform(0.5, 2.0, 50)), rng.normal(size=(50, 2))])
    path = RecordedPath("a", *rows.T)
    times = np.linspace(0.0, 100.0, 200_001)
    chords = np.hypot(*np.diff(path.position_m(times), axis=0).T)
    # Each of 49 turns cuts less than two steps.
    slack = 49 * 2 * times[1] * path.speed_limit_m_s
    assert chords.sum() == pytest.approx(path.travelled_m(100.0), abs=slack)
    assert np.all(np.diff(path.travelled_m(times)) <= path.speed_limit_m_s * times[1] + 1e-9)


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        _path((1, 0, 0), (0, 0, 0))
    with pytest.raises(ValueError, match="given"):
        RecordedPath("a", *np.zeros((3, 0)))


@pytest.mark.parametrize(
    "spells",
    [
        ((1.0, 1.0),),
        ((2.0, 1.0),),
        ((5.0, 6.0), (0.0, 1.0)),
        ((0.0, 2.0), (1.0, 3.0)),
        ((0.0, np.inf), (9.0, 10.0)),
        ((np.nan, 1.0),),
        ((0.0, np.nan),),
        ((np.inf, np.inf),),
    ],
)
def test_spells_that_overlap_or_are_empty_are_refused(
    spells: tuple[tuple[float, float], ...],
) -> None:
    with pytest.raises(ValueError, match="spells of 'a' must be disjoint and in order"):
        _at_rest(spells)


def test_a_path_is_there_for_the_whole_run_unless_it_is_told() -> None:
    assert _path((3, 0, 0)).presence_s == ((0.0, np.inf),)
    spells = ((-5.0, 1.0), (1.0, 2.0), (4.0, np.inf))
    assert _at_rest(spells).presence_s == spells
    assert _at_rest(()).presence_s == ()
