"""Piecewise linear paths: exact at the knots, independent of who asks what when."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from cosim.mobility.trajectory import Leg, PiecewiseLinear, Static, Trajectory


def _walk(legs: list[Leg]) -> PiecewiseLinear:
    return PiecewiseLinear((0.0, 0.0), iter(legs), speed_limit_m_s=5.0)


def test_positions_and_path_length() -> None:
    path = _walk([(2.0, 3.0, 4.0), (1.0, 3.0, 4.0), (4.0, 3.0, 0.0)])
    times = np.array([0.0, 1.0, 2.0, 2.5, 5.0, 7.0, 100.0])
    np.testing.assert_allclose(
        path.position_m(times),
        np.array([[0, 0], [1.5, 2], [3, 4], [3, 4], [3, 2], [3, 0], [3, 0]]),
        atol=1e-14,
    )
    np.testing.assert_allclose(path.travelled_m(times), [0, 2.5, 5, 5, 7, 9, 9])


@pytest.mark.parametrize("path", [_walk([(2.0, 3.0, 4.0)]), Static(1.0, 2.0)])
def test_shapes_follow_the_times(path: Trajectory) -> None:
    assert path.position_m(1.0).shape == (2,)
    assert isinstance(path.travelled_m(1.0), float)
    assert path.position_m(np.zeros((3, 4))).shape == (3, 4, 2)
    assert path.travelled_m(np.zeros((3, 4))).shape == (3, 4)
    assert path.position_m([]).shape == (0, 2)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="times"):
            path.position_m(bad)


def test_static_devices_stay() -> None:
    device = Static(3.0, -4.0)
    np.testing.assert_array_equal(device.position_m([0.0, 1e6]), [[3.0, -4.0]] * 2)
    np.testing.assert_array_equal(device.travelled_m([0.0, 1e6]), [0.0, 0.0])
    assert device.speed_limit_m_s == 0.0


def test_legs_are_drawn_only_as_far_as_asked() -> None:
    drawn = itertools.count()

    def legs() -> Iterator[Leg]:
        for number in drawn:
            yield 1.0, float(number % 2), 0.0

    path = PiecewiseLinear((0.0, 0.0), legs(), speed_limit_m_s=1.0)
    path.position_m(2.5)
    assert next(drawn) == 3


def test_many_legs_grow_the_store() -> None:
    path = _walk([(1.0, float(n % 3), 0.0) for n in range(100)])
    np.testing.assert_allclose(path.position_m(np.arange(1.0, 101.0))[:, 0], np.arange(100) % 3)


@pytest.mark.parametrize(
    "leg", [(1.0, 6.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (np.nan, 0.0, 0.0)]
)
def test_impossible_legs_are_refused(leg: Leg) -> None:
    with pytest.raises(ValueError, match="limit"):
        _walk([leg]).position_m(1.0)
