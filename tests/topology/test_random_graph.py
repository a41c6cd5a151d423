"""The drawn edges have the law of all pairs in a uniform order, each kept if it fits."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cosim.randomness import stream
from cosim.topology import random_graph
from cosim.topology.random_graph import random_edges

Edges = frozenset[tuple[int, int]]
SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
LINE = [(0.0, 0.0), (10.0, 0.0), (20.0, 0.0), (30.0, 0.0), (31.0, 0.0), (50.0, 0.0)]
STAR = [(0.0, 0.0), (10.0, 0.0), (-10.0, 0.0), (0.0, 10.0), (0.0, -10.0), (3.0, 3.0)]


def kept(order: tuple[tuple[int, int], ...], count: int, degree: int) -> Edges:
    """What a list of pairs in some order leaves: the definition."""
    left, edges = [degree] * count, set()
    for low, high in order:
        if left[low] and left[high]:
            left[low] -= 1
            left[high] -= 1
            edges.add((low, high))
    return frozenset(edges)


def pairs_within(places: list[tuple[float, float]], range_m: float) -> list[tuple[int, int]]:
    pairs = itertools.combinations(range(len(places)), 2)
    return [(low, high) for low, high in pairs if math.dist(places[low], places[high]) <= range_m]


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize(
    ("places", "range_m"),
    [(SQUARE, None), (SQUARE, 10.0), (LINE, 15.0), (STAR, 9.9), (STAR, 8.0)],
)
def test_every_graph_is_as_likely_as_in_a_uniform_order_of_its_pairs(
    places: list[tuple[float, float]],
    range_m: float | None,
    degree: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All orders of at most seven pairs are played; 5000 draws, within 5 standard deviations."""
    monkeypatch.setattr(random_graph, "_LISTED", 1)  # so that few devices are drawn from, too
    count, draws = len(places), 5000
    pairs = pairs_within(places, math.inf if range_m is None else range_m)
    orders = list(itertools.permutations(pairs))
    law = Counter(kept(order, count, degree) for order in orders)
    random = stream(1, "law")
    found = Counter(
        frozenset(random_edges(count, degree, random, np.array(places), range_m))
        for _ in range(draws)
    )
    assert set(found) <= set(law)
    for graph, ways in law.items():
        share = ways / len(orders)
        noise = math.sqrt(share * (1 - share) / draws)
        assert found[graph] / draws == pytest.approx(share, abs=5 * noise + 1e-12)


@pytest.mark.slow
def test_the_drawn_and_the_listed_have_the_same_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 12 devices with degree 2: how many edges there are, and how many triangles; the
    difference of two means of 3000, within 5 of its standard deviations."""
    found = {}
    for listed in (1, 100):
        monkeypatch.setattr(random_graph, "_LISTED", listed)
        random = stream(2, "law", listed)
        graphs = [set(random_edges(12, 2, random)) for _ in range(3000)]
        found[listed] = np.array([(len(edges), triangles(edges)) for edges in graphs], dtype=float)
    difference = found[1].mean(axis=0) - found[100].mean(axis=0)
    noise = np.sqrt((found[1].var(axis=0) + found[100].var(axis=0)) / 3000)
    assert (noise > 0).all()
    assert (np.abs(difference) < 5 * noise).all()


def test_every_pair_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Degree 1 pairs 12 devices up, each with every other equally often: within 5 standard
    deviations, over 4000 draws that begin with six pairs at once."""
    monkeypatch.setattr(random_graph, "_LISTED", 1)
    random = stream(3, "law")
    found = Counter(edge for _ in range(4000) for edge in random_edges(12, 1, random))
    for pair in itertools.combinations(range(12), 2):
        assert found[pair] / 4000 == pytest.approx(1 / 11, abs=5 * math.sqrt(10 / 121 / 4000))


def triangles(edges: set[tuple[int, int]]) -> int:
    return sum(
        {(a, b), (a, c), (b, c)} <= edges for a, b, c in itertools.combinations(range(12), 3)
    )


@given(
    count=st.integers(0, 80),
    degree=st.integers(1, 4),
    range_m=st.none() | st.floats(1, 150),
    seed=st.integers(0, 10**6),
)
def test_no_device_exceeds_the_degree_and_no_pair_that_fits_is_left(
    count: int, degree: int, range_m: float | None, seed: int
) -> None:
    positions_m = stream(seed, "positions").uniform(0, 100, (count, 2))
    edges = random_edges(count, degree, stream(seed, "graph"), positions_m, range_m)
    check(edges, count, degree)
    open_ = set(range(count)) - full(edges, degree)
    for low, high in itertools.combinations(sorted(open_), 2):
        far = range_m is not None and apart_m(positions_m, low, high) > range_m
        assert far or (low, high) in edges
    if range_m is not None:
        assert all(apart_m(positions_m, *edge) <= range_m * (1 + 1e-12) for edge in edges)


@pytest.mark.parametrize("range_m", [None, 2.0, 300.0, 2000.0])
def test_ten_thousand_devices(range_m: float | None) -> None:
    """Too many for a list of their 50 million pairs."""
    count, degree = 10_000, 4
    positions_m = stream(1, "positions").uniform(0, 1000, (count, 2))
    edges = random_edges(count, degree, stream(1, "graph"), positions_m, range_m)
    assert edges == random_edges(count, degree, stream(1, "graph"), positions_m, range_m)
    check(edges, count, degree)
    if range_m != 2.0:
        assert len(edges) > 0.999 * count * degree / 2
    if range_m is not None:
        assert max(apart_m(positions_m, *edge) for edge in edges) <= range_m * (1 + 1e-12)


def test_a_range_without_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="a range needs positions"):
        random_edges(3, 2, stream(1, "graph"), None, 10.0)


def check(edges: list[tuple[int, int]], count: int, degree: int) -> None:
    assert len(set(edges)) == len(edges)
    assert all(0 <= low < high < count for low, high in edges)
    assert max(Counter(itertools.chain(*edges)).values(), default=0) <= degree


def full(edges: list[tuple[int, int]], degree: int) -> set[int]:
    return {device for device, n in Counter(itertools.chain(*edges)).items() if n == degree}


def apart_m(positions_m: NDArray[np.float64], low: int, high: int) -> float:
    return math.dist(positions_m[low].tolist(), positions_m[high].tolist())
