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


@pytest.mark.parametrize("area", [Disc(3.0), Square(5.0)])
def test_a_walk_meets_the_edge_where_it_leaves_the_area(area: Area) -> None:
    rng = stream(4, "area")
    for point, velocity in zip(area.uniform(rng, 300), rng.standard_normal((300, 2)), strict=True):
        x, y, vx, vy = *map(float, point), *map(float, velocity)
        time_s, end, normal = area.to_edge((x, y), (vx, vy))
        np.testing.assert_allclose(end, point + velocity * time_s, atol=1e-12)
        assert area.contains(end)
        assert not area.contains(point + velocity * (time_s + 1e-3))
        assert np.hypot(*normal) == pytest.approx(1.0)
        assert np.dot(normal, velocity) > 0.0
        # Turned round, it meets the other side, never the place where it is.
        back_s, _, other = area.to_edge(end, (-vx, -vy))
        assert back_s > time_s * (1.0 - 1e-9)
        assert np.dot(other, velocity) < 0.0
    assert area.to_edge((1.0, 1.0), (0.0, 0.0))[0] == np.inf
