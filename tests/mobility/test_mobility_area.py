"""Areas: uniform points, their moments, and mean distances."""

import numpy as np
import pytest

from cosim.mobility.area import Area, Disc, Square
from cosim.randomness import stream

POINTS = 40_000


@pytest.mark.parametrize("area", [Disc(80.0), Square(150.0)])
def test_points_lie_inside_and_distances_have_the_known_mean(area: Area) -> None:
    rng = stream(1, "area")
    one, other = area.uniform(rng, POINTS), area.uniform(rng, POINTS)
    assert one.shape == (POINTS, 2)
    assert np.all(area.contains(one))
    distance = np.hypot(*(one - other).T)
    assert distance.max() <= area.diameter_m
    assert abs(distance.mean() - area.mean_distance_m) < 4.5 * distance.std() / np.sqrt(POINTS)


def test_second_moments() -> None:
    # Disc: r² is uniform on [0, R²]; square: a²/12 per axis.
    r2 = np.square(Disc(1.0).uniform(stream(2, "area"), POINTS)).sum(axis=1)
    assert abs(r2.mean() - 0.5) < 4.5 * r2.std() / np.sqrt(POINTS)
    x2 = np.square(Square(1.0).uniform(stream(3, "area"), POINTS)[:, 0])
    assert abs(x2.mean() - 1.0 / 12.0) < 4.5 * x2.std() / np.sqrt(POINTS)


def test_mean_leg_constants() -> None:
    assert Square(1.0).mean_distance_m == pytest.approx(0.5214, abs=1e-4)
    assert Disc(1.0).mean_distance_m == pytest.approx(128.0 / (45.0 * np.pi))


def test_the_border_is_inside() -> None:
    np.testing.assert_array_equal(Disc(2.0).contains([[2.0, 0.0], [2.0, 0.1]]), [True, False])
    assert Square(2.0).contains([1.0, -1.0])
    assert not Square(2.0).contains([1.01, 0.0])
    with pytest.raises(ValueError, match="radius_m"):
        Disc(0.0)
    with pytest.raises(ValueError, match="side_m"):
        Square(np.inf)
