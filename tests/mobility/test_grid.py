"""Grids: as many places as asked, inside, apart, and symmetric where the number allows."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from cosim.mobility.area import Area, Disc, Square
from cosim.mobility.grid import grid


@pytest.mark.parametrize("area", [Disc(50.0), Square(80.0)])
def test_places_are_inside_and_apart(area: Area) -> None:
    size = np.pi * 50.0**2 if isinstance(area, Disc) else 80.0**2
    for n in range(1, 200):
        places = grid(area, n)
        assert places.shape == (n, 2)
        assert np.all(area.contains(places))
        if n > 1:
            # A perfect square lattice has the spacing √(size/n); these keep half of it.
            assert pdist(places).min() > 0.5 * np.sqrt(size / n)


def test_known_grids() -> None:
    np.testing.assert_allclose(grid(Square(4.0), 4), [[-1, -1], [1, -1], [-1, 1], [1, 1]])
    np.testing.assert_allclose(grid(Square(4.0), 3), [[-1, -1], [1, -1], [0, 1]])
    np.testing.assert_allclose(
        grid(Disc(3.0), 5), [[0, 0], [2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-12
    )
    np.testing.assert_array_equal(grid(Disc(3.0), 1), [[0, 0]])


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        grid(Disc(1.0), 0)


def test_the_lattice_around_a_disc_reaches_far_enough() -> None:
    # Compared with a lattice that surely does: the n nearest points are the same distances.
    axis = np.arange(-60, 61)
    every = np.sort(np.hypot(*np.meshgrid(axis, axis)).ravel())
    for n in (2, 7, 50, 333, 2_000):
        found = np.hypot(*grid(Disc(1.0), n).T)
        expected = every[:n] / (every[n - 1] + 0.5)
        np.testing.assert_allclose(np.sort(found), expected, rtol=1e-12, atol=1e-12)
