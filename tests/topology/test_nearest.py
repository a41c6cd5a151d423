"""The nearest graph is the one of a sorted list of all pairs."""

import itertools
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.randomness import stream
from cosim.topology.nearest import nearest_edges

# Even and uneven places, ties on a small lattice and on a line, and gaps that double.
lattice = st.tuples(st.integers(0, 3), st.integers(0, 3))
line = st.tuples(st.integers(0, 40), st.just(0))
doubling = st.tuples(st.integers(0, 40).map(lambda k: 2**k), st.just(0))
anywhere = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(
    lambda place: (place[0] / 997, place[1] / 997)
)
places = st.sampled_from([lattice, line, doubling, anywhere]).flatmap(
    lambda kind: st.lists(kind, max_size=50)
)


def of_all_pairs(
    positions_m: NDArray[np.float64], degree: int, range_m: float | None
) -> set[tuple[int, int]]:
    """The definition: every pair, by distance and then by ids."""
    points = positions_m.tolist()
    pairs = sorted(
        ((x - points[high][0]) ** 2 + (y - points[high][1]) ** 2, low, high)
        for low, (x, y) in enumerate(points)
        for high in range(low + 1, len(points))
    )
    left, edges = [degree] * len(points), set()
    for squared, low, high in pairs:
        if left[low] and left[high] and (range_m is None or squared <= range_m**2):
            left[low] -= 1
            left[high] -= 1
            edges.add((low, high))
    return edges


@given(
    points=places,
    degree=st.integers(1, 5),
    range_m=st.none() | st.sampled_from([1.0, 2.0, 10.0]) | st.floats(0.1, 2000),
)
def test_it_is_the_graph_of_all_pairs(
    points: list[tuple[float, float]], degree: int, range_m: float | None
) -> None:
    positions_m = np.array(points, dtype=float).reshape(-1, 2)
    edges = nearest_edges(positions_m, degree, range_m)
    assert len(set(edges)) == len(edges)
    assert set(edges) == of_all_pairs(positions_m, degree, range_m)


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 3, 8])
@pytest.mark.parametrize("kind", ["even", "clusters", "rough lattice", "spread over decades"])
def test_it_is_the_graph_of_all_pairs_of_many_devices(kind: str, degree: int) -> None:
    random = stream(1, "positions")
    match kind:
        case "even":
            positions_m: npt.NDArray[np.float64] = random.uniform(0, 1000, (400, 2))
        case "clusters":
            centres_m = random.uniform(0, 1000, (8, 2))[random.integers(8, size=400)]
            positions_m = centres_m + random.normal(0, 2, (400, 2))
        case "rough lattice":
            positions_m = 0.1 * random.integers(0, 15, (400, 2)).astype(np.float64)
        case _:
            positions_m = np.exp(random.normal(0, 4, (400, 2)))
    for range_m in (None, 0.1, 30.0):
        edges = nearest_edges(positions_m, degree, range_m)
        assert set(edges) == of_all_pairs(positions_m, degree, range_m)


def test_a_middle_device_joins_its_nearer_side() -> None:
    positions_m = np.array([(0.0, 0.0), (4.0, 0.0), (7.0, 0.0), (20.0, 0.0)])
    assert sorted(nearest_edges(positions_m, 1)) == [(0, 3), (1, 2)]
    assert sorted(nearest_edges(positions_m, 2)) == [(0, 1), (0, 2), (1, 2)]
    assert sorted(nearest_edges(positions_m, 2, 4.0)) == [(0, 1), (1, 2)]
    assert sorted(nearest_edges(positions_m, 2, 3.9)) == [(1, 2)]


def test_devices_at_one_place_form_groups() -> None:
    edges = nearest_edges(np.full((7, 2), 3.0), 2, 1.0)
    assert sorted(edges) == [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)]


def test_ten_thousand_devices() -> None:
    """Too many for a list of their 50 million pairs."""
    positions_m = stream(1, "positions").uniform(0, 3000, (10_000, 2))
    edges = nearest_edges(positions_m, 4)
    taken = Counter(itertools.chain(*edges))
    assert max(taken.values()) == 4
    # Whoever is below the degree is joined with every other such device.
    open_ = sorted(set(range(10_000)) - {device for device, n in taken.items() if n == 4})
    assert set(itertools.combinations(open_, 2)) <= set(edges)
